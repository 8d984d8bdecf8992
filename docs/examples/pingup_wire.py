"""The pingup protocol in Python 3.9+, standard library only, written from docs/protocol.md; § numbers point there.

Strict JSON in, canonical JSON out, signatures, keys, times, and one HTTP request. `agent.py` is an agent made of it.
"""
import base64
import binascii
import decimal
import hashlib
import hmac
import http.client
import ipaddress
import json
import re
import ssl
import urllib.parse
from datetime import datetime, timezone

INTEGER_MAX = 2**53 - 1             # §4
DEPTH_MAX = 16                      # §11
MEMBERS_MAX = 1_024                 # §11
STRING_BYTES_MAX = 64 * 1024        # §11
ANSWER_BYTES_MAX = 8 * 1024 * 1024  # ours


class Refused(Exception):
    """A body that must not be believed, by the name of its problem (§10)."""


class Stop(Exception):
    """There is no going on; the text says why."""


# --- §4: strict I-JSON in, RFC 8785 out ---------------------------------------------------------------------------


def parse_strict(raw):
    """Reads bytes as the strict JSON of §4; raises Refused."""
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise Refused("invalid-unicode") from None
    if text.startswith("\ufeff"):
        raise Refused("invalid-unicode")
    try:
        value = json.loads(text, object_pairs_hook=unique_members, parse_int=small_integer,
                           parse_float=finite_number, parse_constant=not_json)
    except RecursionError:
        raise Refused("nesting-too-deep") from None
    except json.JSONDecodeError:
        raise Refused("malformed-json") from None
    check_limits(value, 1)
    return value


def unique_members(pairs):
    members = dict(pairs)
    if len(members) < len(pairs):
        raise Refused("duplicate-member")
    return members


def small_integer(text):
    # The length first: Python would read a million digits.
    if len(text) > 17 or abs(int(text)) > INTEGER_MAX:
        raise Refused("number-out-of-range")
    return int(text)


def finite_number(text):
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise Refused("number-out-of-range")
    return value


def not_json(_word):
    raise Refused("malformed-json")  # NaN and Infinity, which Python would take


def check_limits(value, depth):
    if isinstance(value, str):
        try:
            if len(value.encode("utf-8")) > STRING_BYTES_MAX:
                raise Refused("schema-invalid")
        except UnicodeEncodeError:  # half of a surrogate pair
            raise Refused("invalid-unicode") from None
    elif isinstance(value, (dict, list)):
        if depth > DEPTH_MAX:
            raise Refused("nesting-too-deep")
        if isinstance(value, dict):
            if len(value) > MEMBERS_MAX:
                raise Refused("schema-invalid")
            for name in value:
                check_limits(name, depth)
        for inner in value.values() if isinstance(value, dict) else value:
            check_limits(inner, depth + 1)


def canonical(value):
    """Writes a value as RFC 8785 does."""
    if isinstance(value, dict):
        # Big-endian UTF-16 bytes compare exactly as UTF-16 code units do.
        members = sorted(value.items(), key=lambda member: member[0].encode("utf-16-be"))
        return "{" + ",".join(canonical(name) + ":" + canonical(inner) for name, inner in members) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(canonical(inner) for inner in value) + "]"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)  # escapes just what RFC 8785 §3.2.2.2 does
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, int) and abs(value) <= INTEGER_MAX:
        return str(value)
    return es6_number(float(value))


def es6_number(value):
    """Writes a double as ECMAScript's Number::toString does."""
    if value == 0:
        return "0"  # minus zero too
    # repr() has the right digits, the fewest that read back the same; only where it puts the point differs.
    sign, digits, exponent = decimal.Decimal(repr(value)).as_tuple()
    text = "".join(map(str, digits)).rstrip("0")
    point = len(digits) + exponent  # the decimal point stands behind that many digits
    if 0 < point <= 21:
        whole, fraction = text[:point].ljust(point, "0"), text[point:]
    elif -6 < point <= 0:
        whole, fraction = "0", "0" * -point + text
    else:
        whole, fraction = text[0], text[1:]
    written = whole + ("." + fraction if fraction else "")
    if not -6 < point <= 21:
        written += "e" + format(point - 1, "+d")
    return ("-" if sign else "") + written


# --- §2, §4: keys and signatures ----------------------------------------------------------------------------------


def hkdf(material, salt, info):
    """HKDF-SHA256 (RFC 5869) to 32 bytes, which is one block: no loop is needed."""
    extracted = hmac.new(salt or bytes(32), material, hashlib.sha256).digest()
    return hmac.new(extracted, info + b"\x01", hashlib.sha256).digest()


def signature_of(key, body):
    unsigned = {name: value for name, value in body.items() if name != "signature"}
    mac = hmac.new(key, canonical(unsigned).encode("utf-8"), hashlib.sha256)
    return base64.b64encode(mac.digest()).decode("ascii")


def sign(key, body):
    """The canonical bytes of a body with its signature in place."""
    return canonical({**body, "signature": signature_of(key, body)}).encode("utf-8")


def check_signature(key, body):
    """Raises Refused unless the parsed body was signed with the key."""
    if not isinstance(body, dict) or "signature" not in body:
        raise Refused("signature-missing")
    given = body["signature"]
    try:
        if len(given) != 44 or len(base64.b64decode(given, validate=True)) != 32:
            raise Refused("signature-malformed")
    except (TypeError, ValueError, binascii.Error):
        raise Refused("signature-malformed") from None
    if not hmac.compare_digest(given, signature_of(key, body)):
        raise Refused("signature-invalid")


def verified(key, raw):
    """What the bytes say, if they are strict JSON signed with the key; raises Refused."""
    body = parse_strict(raw)
    check_signature(key, body)
    return body


def read_join_token(text):
    """pjt_<tokenId>_<secret> → (tokenId, K_tok); §3."""
    parts = text.split("_", 2)  # the secret may hold underscores of its own
    try:
        secret = base64.urlsafe_b64decode(parts[2] + "=")
        if parts[0] != "pjt" or not parts[1].isalnum() or len(parts[2]) != 43 or len(secret) != 32:
            raise ValueError
    except (IndexError, ValueError):
        raise Stop("this is no join token; `pingup-server join-token create` makes one") from None
    return parts[1], hkdf(secret, None, b"pingup-enrol/1")


# --- §1: times ----------------------------------------------------------------------------------------------------


def write_time(moment):
    return moment.astimezone(timezone.utc).isoformat(timespec="microseconds").replace("+00:00", "Z")


def read_time(text):
    """RFC 3339 with any number of digits behind the second, which fromisoformat learned only later."""
    found = re.fullmatch(r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:\.(\d+))?([Zz]|[+-]\d\d:\d\d)", text)
    if not found:
        raise ValueError(f"{text!r} is no RFC 3339 time")
    day, clock, fraction, offset = found.groups()
    micros = (fraction or "")[:6].ljust(6, "0")
    return datetime.fromisoformat(f"{day}T{clock}.{micros}" + ("+00:00" if offset in "Zz" else offset))


# --- the hub ------------------------------------------------------------------------------------------------------


class Answer:
    """An HTTP answer of the hub."""

    def __init__(self, status, headers, raw):
        self.status, self.raw = status, raw
        retry_after = headers.get("Retry-After", "")
        self.retry_after = int(retry_after) if retry_after.isdigit() else None
        self.problem = {}
        if status >= 400:
            try:
                told = parse_strict(raw)
                self.problem = told if isinstance(told, dict) else {}
            except Refused:
                pass  # not the hub's own refusal: a proxy's page, for example

    @property
    def name(self):
        """The refusal's name (§10), empty for an answer that is none."""
        return str(self.problem.get("type", "")).rpartition(":")[2]

    def told(self):
        return f"{self.status} {self.name}: {self.problem.get('detail', '')}"


class Hub:
    """Where the hub is; each request has a connection of its own, so that any thread may ask.

    Over https the hub's certificate must be of an authority in the PEM file `ca`, or of one that this system trusts, for
    the hub's name and for now: before that is shown, nothing is sent.
    """

    def __init__(self, url, insecure_http, ca=None):
        parts = urllib.parse.urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.path not in ("", "/"):
            raise Stop("--hub: a URL such as http://127.0.0.1:8080 expected")
        if parts.scheme == "http" and not insecure_http and not is_loopback(parts.hostname):  # §3
            raise Stop("--hub: plain http leaves this machine; use https, or --insecure-http if that is meant")
        self.host, self.port = parts.hostname, parts.port
        if parts.scheme == "http" and ca:
            raise Stop("--hub-ca: proves nothing over plain http; the hub's URL must begin with https")
        try:
            self.tls = ssl.create_default_context(cafile=ca) if parts.scheme == "https" else None
        except OSError as error:  # not there, or no certificate in it
            raise Stop(f"--hub-ca: {ca}: {error}") from None
        self.keeps_secrets = parts.scheme == "https" or is_loopback(parts.hostname)  # §9

    def ask(self, method, path, token=None, body=None, timeout=30):
        """Sends one request; raises OSError or HTTPException when no answer comes."""
        headers = {"Accept": "application/json"}
        if token:
            headers["Authorization"] = "Bearer " + token
        if body is not None:
            headers["Content-Type"] = "application/json"
        if self.tls:
            connection = http.client.HTTPSConnection(self.host, self.port, timeout=timeout, context=self.tls)
        else:
            connection = http.client.HTTPConnection(self.host, self.port, timeout=timeout)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            raw = answer.read(ANSWER_BYTES_MAX + 1)
            if len(raw) > ANSWER_BYTES_MAX:
                raise http.client.HTTPException("the answer does not end")
            return Answer(answer.status, answer.headers, raw)
        finally:
            connection.close()


NO_ANSWER = (OSError, http.client.HTTPException)


def is_loopback(host):
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
