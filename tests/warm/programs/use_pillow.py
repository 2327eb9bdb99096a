# /// script
# requires-python = ">=3.11"
# dependencies = ["pillow"]
# ///
import hashlib
import io

from PIL import (
    Image, ImageChops, ImageColor, ImageDraw, ImageEnhance, ImageFilter, ImageFont, ImageOps, ImageStat, UnidentifiedImageError,
)  # fmt: skip

def main():
    image = Image.new("RGB", (64, 64), "white")
    ImageDraw.Draw(image).text((4, 4), "frazil", fill="black", font=ImageFont.load_default())
    blurred = image.filter(ImageFilter.GaussianBlur(2)).resize((32, 32), Image.Resampling.LANCZOS)
    out = io.BytesIO()
    image.save(out, "PNG", optimize=True)
    again = Image.open(io.BytesIO(out.getvalue()))
    print(again.tobytes() == image.tobytes(), again.mode, again.size, again.format)
    out = io.BytesIO()
    blurred.save(out, "JPEG", quality=80, exif=b"Exif\0\0MM\0*\0\0\0\x08\0\0\0\0\0\0")
    difference = ImageChops.difference(Image.open(io.BytesIO(out.getvalue())), blurred)
    print(max(high for _, high in difference.getextrema()) < 60, ImageStat.Stat(blurred).mean, image.convert("L").histogram()[0])
    print(ImageOps.mirror(blurred.rotate(30, expand=True)).size, ImageEnhance.Contrast(blurred).enhance(1.5).getpixel((3, 3)))
    pasted = Image.new("RGBA", (8, 8), (255, 0, 0, 128))
    print(Image.alpha_composite(Image.new("RGBA", (8, 8), "blue"), pasted).getpixel((0, 0)), ImageColor.getrgb("hsl(120,50%,50%)"))
    try:
        Image.open(io.BytesIO(b"no image"))
    except UnidentifiedImageError as error:
        print(type(error).__name__)
    for kind in ("PNG", "JPEG", "WEBP", "GIF", "TIFF"):
        out = io.BytesIO()
        blurred.save(out, kind)
        print(kind, hashlib.sha256(Image.open(out).convert("RGB").tobytes()).hexdigest()[:16])


if __name__ == "__main__":
    main()
