"""A server behind TLS, with a certificate that only a file vouches for."""

import contextlib
import datetime
import ipaddress
import socket
import ssl
import threading
from contextlib import contextmanager

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec


@contextmanager
def behind_tls(port, folder):
    """The server on a ``port`` of the loopback interface; yields a port and an authority's path.

    What arrives there encrypted goes on in the clear, and back.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*_certificate(folder))
    context.set_alpn_protocols(["h2", "http/1.1"])
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_serve, args=(listener, context, port), daemon=True).start()
        yield listener.getsockname()[1], str(folder / "authority.pem")


def _certificate(folder):
    """The paths of a certificate and its key; who has signed it is in ``authority.pem``."""
    authority, signing = _made("authority", None)
    made, key = _made("localhost", (authority, signing))
    paths = [folder / name for name in ("authority.pem", "certificate.pem", "key.pem")]
    for path, one in zip(paths, (authority, made), strict=False):
        path.write_bytes(one.public_bytes(serialization.Encoding.PEM))
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8)
    paths[2].write_bytes(key.private_bytes(*form, serialization.NoEncryption()))
    return paths[1:]


def _made(name, signer):
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    issuer, signing = (subject, key) if signer is None else (signer[0].subject, signer[1])
    now = datetime.datetime.now(datetime.UTC)
    names = [x509.IPAddress(ipaddress.ip_address("127.0.0.1")), x509.DNSName("localhost")]
    made = (
        x509.CertificateBuilder(issuer, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=signer is None, path_length=None), critical=True)
        .add_extension(_usage(signs=signer is None), critical=True)
        # Since Python 3.13 these are asked for.
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signing.public_key()), critical=False
        )
        .sign(signing, hashes.SHA256())
    )
    return made, key


def _usage(*, signs):
    """What the key is for: an authority's signs certificates."""
    names = ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement")
    others = dict.fromkeys((*names, "crl_sign", "encipher_only", "decipher_only"), False)
    return x509.KeyUsage(digital_signature=True, key_cert_sign=signs, **others)


def _serve(listener, context, port):
    while True:
        try:
            accepted, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=_connect, args=(accepted, context, port), daemon=True).start()


def _connect(accepted, context, port):
    with contextlib.suppress(OSError), accepted:  # who speaks no TLS, or believes nobody
        encrypted = context.wrap_socket(accepted, server_side=True)
        with encrypted, socket.create_connection(("127.0.0.1", port)) as plain:
            back = threading.Thread(target=_pump, args=(plain, encrypted), daemon=True)
            back.start()
            _pump(encrypted, plain)
            back.join()


def _pump(source, sink):
    with contextlib.suppress(OSError):
        while data := source.recv(65_536):
            sink.sendall(data)
    for one in (source, sink):
        with contextlib.suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
