# /// script
# requires-python = ">=3.11"
# dependencies = ["cryptography"]
# ///
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.fernet import Fernet

if __name__ == "__main__":
    key = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(32))
    print(key.sign(b"x").hex())
    try:
        key.public_key().verify(bytes(64), b"x")
    except InvalidSignature:
        print("invalid")
    print(AESGCM(bytes(32)).encrypt(bytes(12), b"text", b"more").hex())
    fernet = Fernet(Fernet.generate_key())
    print(fernet.decrypt(fernet.encrypt(b"secret")))
    private = rsa.generate_private_key(65537, 1024)
    signature = private.sign(b"x", padding.PKCS1v15(), hashes.SHA256())
    private.public_key().verify(signature, b"x", padding.PKCS1v15(), hashes.SHA256())
    print(len(signature))
