# /// script
# requires-python = ">=3.11"
# dependencies = ["pillow"]
# ///
import hashlib
import io

from PIL import Image, ImageDraw, ImageFilter, ImageFont

if __name__ == "__main__":
    image = Image.new("RGB", (64, 64), "white")
    ImageDraw.Draw(image).text((4, 4), "frazil", fill="black", font=ImageFont.load_default())
    blurred = image.filter(ImageFilter.GaussianBlur(2)).resize((32, 32), Image.Resampling.LANCZOS)
    for kind in ("PNG", "JPEG", "WEBP", "GIF", "TIFF"):
        out = io.BytesIO()
        blurred.save(out, kind)
        print(kind, hashlib.sha256(Image.open(out).convert("RGB").tobytes()).hexdigest()[:16])
