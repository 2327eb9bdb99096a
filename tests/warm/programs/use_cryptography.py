# /// script
# requires-python = ">=3.11"
# dependencies = ["cryptography"]
# ///
import datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, x25519
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC

def main():
    key = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(32))
    print(key.sign(b"x").hex())
    try:
        key.public_key().verify(bytes(64), b"x")
    except InvalidSignature:
        print("invalid")
    print(AESGCM(bytes(32)).encrypt(bytes(12), b"text", b"more").hex())
    sealed = ChaCha20Poly1305(bytes(32)).encrypt(bytes(12), b"text", None)
    try:
        ChaCha20Poly1305(bytes(32)).decrypt(bytes(12), sealed[:-1] + b"x", None)
    except InvalidTag:
        print("altered", sealed.hex())
    fernet = Fernet(Fernet.generate_key())
    print(fernet.decrypt(fernet.encrypt(b"secret")))
    try:
        Fernet(Fernet.generate_key()).decrypt(fernet.encrypt(b"secret"))
    except InvalidToken:
        print("another key")
    private = rsa.generate_private_key(65537, 2048)
    for scheme in (padding.PKCS1v15(), padding.PSS(padding.MGF1(hashes.SHA256()), 32)):
        signature = private.sign(b"x", scheme, hashes.SHA256())
        private.public_key().verify(signature, b"x", scheme, hashes.SHA256())
        print(len(signature))
    curve = ec.generate_private_key(ec.SECP256R1())
    other = ec.generate_private_key(ec.SECP256R1())
    print(curve.exchange(ec.ECDH(), other.public_key()) == other.exchange(ec.ECDH(), curve.public_key()))
    print(x25519.X25519PrivateKey.from_private_bytes(bytes(range(32))).public_key().public_bytes_raw().hex())
    print(PBKDF2HMAC(hashes.SHA256(), 32, b"salt", 1000).derive(b"password").hex())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "here")])
    day = datetime.datetime(2024, 1, 1)
    certificate = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
        .not_valid_before(day).not_valid_after(day + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("here.example")]), critical=False).sign(key, None)
    )  # fmt: skip
    print(certificate.public_bytes(serialization.Encoding.PEM).decode(), certificate.fingerprint(hashes.SHA256()).hex())
    print(x509.load_der_x509_certificate(certificate.public_bytes(serialization.Encoding.DER)).extensions[0].value)


if __name__ == "__main__":
    main()
