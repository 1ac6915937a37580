# SPDX-License-Identifier: GPL-3.0-or-later
"""Key pairs whose fingerprint is that of the key.

EC2 User Guide, "Verify the fingerprint of your key pair": an imported RSA key has the MD5 of its public key
in DER, an ED25519 key OpenSSH's SHA-256.
"""

import base64
import binascii
import hashlib
import struct

from ministack.services import ec2

from .queries import Refused, check_filters, element, found, given, named, passes

RSA_ALGORITHM = bytes.fromhex("300d06092a864886f70d0101010500")
KINDS = {"ssh-rsa": "rsa", "ssh-ed25519": "ed25519"}

original_create = ec2._create_key_pair


def actions(_side) -> dict:
    return {
        "ImportKeyPair": import_key_pair,
        "CreateKeyPair": create_key_pair,
        "DescribeKeyPairs": describe_key_pairs,
        "DeleteKeyPair": delete_key_pair,
    }


def import_key_pair(params):
    name = given(params, "KeyName")
    if name is None:
        raise Refused("MissingParameter", "The request must contain the parameter KeyName")
    if name in ec2._key_pairs:
        raise Refused("InvalidKeyPair.Duplicate", f"The keypair '{name}' already exists.")
    kind, fingerprint, public_key = _read(given(params, "PublicKeyMaterial") or "")
    pair = {
        "KeyName": name,
        "KeyFingerprint": fingerprint,
        "KeyPairId": f"key-{ec2.new_uuid().replace('-', '')[:17]}",
        "KeyType": kind,
        "PublicKey": public_key,
        "CreateTime": ec2._now_ts(),
    }
    ec2._key_pairs[name] = pair
    ec2._parse_tag_specs(params, "key-pair", pair["KeyPairId"])
    return ec2._xml(200, "ImportKeyPairResponse", _fields(pair))


def create_key_pair(params):
    response = original_create(params)
    pair = ec2._key_pairs.get(given(params, "KeyName"))
    if response[0] == 200:
        pair.update({"KeyType": given(params, "KeyType") or "rsa", "CreateTime": ec2._now_ts()})
    return response


def describe_key_pairs(params):
    names = named(params, "KeyName", ec2._key_pairs, "InvalidKeyPair.NotFound", "key pair")
    identifiers = ec2._parse_member_list(params, "KeyPairId")
    check_filters(params, _values({}))
    with_key = (given(params, "IncludePublicKey") or "").lower() == "true"
    items = "".join(
        f"<item>{_fields(pair)}{element('publicKey', pair.get('PublicKey')) if with_key else ''}</item>"
        for pair in ec2._key_pairs.values()
        if (not names or pair["KeyName"] in names)
        and (not identifiers or pair["KeyPairId"] in identifiers)
        and passes(params, pair["KeyPairId"], _values(pair))
    )
    return ec2._xml(200, "DescribeKeyPairsResponse", f"<keySet>{items}</keySet>")


def delete_key_pair(params):
    """Deleting a key pair that is not there is no error."""
    identifier = given(params, "KeyPairId")
    for pair in list(ec2._key_pairs.values()):
        if pair["KeyName"] == given(params, "KeyName") or pair["KeyPairId"] == identifier:
            del ec2._key_pairs[pair["KeyName"]]
            ec2._tags.pop(pair["KeyPairId"], None)
    return ec2._xml(200, "DeleteKeyPairResponse", "<return>true</return>")


def check(name: str | None) -> None:
    if name:
        found(ec2._key_pairs, name, "InvalidKeyPair.NotFound", "key pair")


def _values(pair: dict) -> dict:
    return {
        "key-name": pair.get("KeyName"),
        "key-pair-id": pair.get("KeyPairId"),
        "fingerprint": pair.get("KeyFingerprint"),
    }


def _fields(pair: dict) -> str:
    parts = (
        ("keyName", "KeyName"),
        ("keyFingerprint", "KeyFingerprint"),
        ("keyPairId", "KeyPairId"),
        ("keyType", "KeyType"),
        ("createTime", "CreateTime"),
    )
    return "".join(element(name, pair.get(key)) for name, key in parts) + ec2._tag_set_xml(pair["KeyPairId"])


def _read(material: str) -> tuple[str, str, str]:
    """Kind, fingerprint and text of the public key in OpenSSH's format; the API sends it in base64."""
    try:
        text = base64.b64decode(material, validate=True).decode().strip()
        name, encoded = text.split()[:2]
        blob = base64.b64decode(encoded, validate=True)
        kind = KINDS[name]
        if _strings(blob)[0] != name.encode():
            raise ValueError(name)
        return kind, _fingerprint(kind, blob), text
    except (ValueError, KeyError, IndexError, binascii.Error, struct.error) as error:
        raise Refused("InvalidKey.Format", "Key is not in valid OpenSSH public key format") from error


def _fingerprint(kind: str, blob: bytes) -> str:
    if kind == "ed25519":
        return base64.b64encode(hashlib.sha256(blob).digest()).decode()
    _name, exponent, modulus = _strings(blob)
    key = _der(0x30, _der(0x02, modulus) + _der(0x02, exponent))
    der = _der(0x30, RSA_ALGORITHM + _der(0x03, b"\0" + key))
    return hashlib.md5(der, usedforsecurity=False).digest().hex(":")


def _strings(blob: bytes) -> list[bytes]:
    """The length-prefixed strings of an SSH key blob (RFC 4253)."""
    strings, position = [], 0
    while position < len(blob):
        (length,) = struct.unpack_from(">I", blob, position)
        strings.append(blob[position + 4 : position + 4 + length])
        position += 4 + length
    return strings


def _der(tag: int, content: bytes) -> bytes:
    length = len(content)
    if length < 128:
        return bytes([tag, length]) + content
    size = (length.bit_length() + 7) // 8
    return bytes([tag, 0x80 | size]) + length.to_bytes(size, "big") + content
