"""SRTP as RFC 3711 and RFC 7714 write it down, by other code than the product's: what phones in tests speak."""

import hashlib
import hmac
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

MASTER_KEY_OCTETS = {
    "AES_CM_128_HMAC_SHA1_80": 16,
    "AES_CM_128_HMAC_SHA1_32": 16,
    "AEAD_AES_128_GCM": 16,
    "AEAD_AES_256_GCM": 32,
}
TAG_OCTETS = {"AES_CM_128_HMAC_SHA1_80": 10, "AES_CM_128_HMAC_SHA1_32": 4}
ENCRYPTION, AUTHENTICATION, SALT = 0, 1, 2


def keystream(key: bytes, start: bytes, octets: int) -> bytes:
    """AES in counter mode (RFC 3711 section 4.1.1)."""
    cipher = Cipher(algorithms.AES(key), modes.CTR(start)).encryptor()
    return cipher.update(bytes(octets)) + cipher.finalize()


def derive(master_key: bytes, master_salt: bytes, label: int, octets: int) -> bytes:
    """A session key (RFC 3711 section 4.3.3, RFC 7714 section 11)."""
    salt = int.from_bytes(master_salt.ljust(14, b"\0"), "big")
    return keystream(master_key, ((salt ^ label << 48) << 16).to_bytes(16, "big"), octets)


def exclusive_or(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=True))


@dataclass
class Direction:
    """One direction under one master key with its salt."""

    suite: str
    material: bytes
    roll_over: int = 0
    highest: int = -1
    key: bytes = field(init=False)
    salt: bytes = field(init=False)
    authentication: bytes = field(init=False)

    def __post_init__(self) -> None:
        length = MASTER_KEY_OCTETS[self.suite]
        master, salt = self.material[:length], self.material[length:]
        self.key = derive(master, salt, ENCRYPTION, length)
        self.salt = derive(master, salt, SALT, len(salt))
        self.authentication = derive(master, salt, AUTHENTICATION, 20)

    def seal(self, packet: bytes) -> bytes:
        """Encrypt an RTP packet with a header of twelve octets; sequence numbers only rise."""
        number = int.from_bytes(packet[2:4], "big")
        self.roll_over += number < self.highest
        self.highest = number
        header, payload, roll_over = packet[:12], packet[12:], self.roll_over.to_bytes(4, "big")
        if "GCM" in self.suite:
            start = exclusive_or(bytes(2) + packet[8:12] + roll_over + packet[2:4], self.salt)
            return header + AESGCM(self.key).encrypt(start, payload, header)
        sealed = header + exclusive_or(payload, self._keystream(packet, len(payload)))
        tag = hmac.new(self.authentication, sealed + roll_over, hashlib.sha1).digest()
        return sealed + tag[: TAG_OCTETS[self.suite]]

    def open(self, packet: bytes) -> bytes:
        """Decrypt; raises where the tag is wrong. No roll-over is expected."""
        header, roll_over = packet[:12], self.roll_over.to_bytes(4, "big")
        if "GCM" in self.suite:
            start = exclusive_or(bytes(2) + packet[8:12] + roll_over + packet[2:4], self.salt)
            return header + AESGCM(self.key).decrypt(start, packet[12:], header)
        length = TAG_OCTETS[self.suite]
        sealed, tag = packet[:-length], packet[-length:]
        assert hmac.new(self.authentication, sealed + roll_over, hashlib.sha1).digest()[:length] == tag
        return header + exclusive_or(sealed[12:], self._keystream(packet, len(sealed) - 12))

    def _keystream(self, packet: bytes, octets: int) -> bytes:
        index = self.roll_over << 16 | int.from_bytes(packet[2:4], "big")
        start = int.from_bytes(self.salt, "big") << 16 ^ int.from_bytes(packet[8:12], "big") << 64 ^ index << 16
        return keystream(self.key, start.to_bytes(16, "big"), octets)
