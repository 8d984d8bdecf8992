"""Checks pingup_wire.py against protocol/tests/vectors.json: the same inputs must give the same outputs."""
import json

from pingup_wire import Refused, canonical, hkdf, sign, signature_of, verified


def derive(master, salt, way, agent_id, generation):
    """K_up and K_down as the hub derives them (protocol.md §2); an agent is given both."""
    info = b"\0".join([b"pingup/1", way.encode(), agent_id.encode(), generation.to_bytes(4, "big")])
    return hkdf(master, salt, info)


def check(path):
    """Prints each difference; gives the exit code."""
    with open(path, encoding="utf-8") as file:
        given = json.load(file)
    compared = list(derivations(given)) + list(signatures(given)) + list(refusals(given))
    differences = [(name, got, wanted) for name, got, wanted in compared if got != wanted]
    for name, got, wanted in differences:
        print(f"{name}:\n  got    {got}\n  wanted {wanted}")
    print(f"{len(compared) - len(differences)} of {len(compared)} agree")
    return 1 if differences or not compared else 0


def keys_of(given):
    of = given["derivation"]
    master, salt = bytes.fromhex(of["master"]), bytes.fromhex(of["salt"])
    return {way: derive(master, salt, way, of["agentId"], of["generation"]) for way in ("up", "down")}


def derivations(given):
    for way, key in keys_of(given).items():
        yield f"K_{way}", key.hex(), given["derivation"][way]
    enrolment = given["enrolment"]
    key = hkdf(bytes.fromhex(enrolment["secret"]), None, b"pingup-enrol/1")
    yield "K_tok", key.hex(), enrolment["key"]


def signatures(given):
    keys = keys_of(given)
    for case in given["signatures"]:
        name, key, body = case["name"], keys[case["key"]], case["body"]
        yield f"{name}: canonical", canonical(body), case["canonical"]
        yield f"{name}: signature", signature_of(key, body), case["signature"]
        carried = {**body, "signature": case["signature"]}
        yield f"{name}: what is signed verifies", verified(key, sign(key, body)), carried
        other_form = json.dumps({"signature": case["signature"], **body}, indent=1).encode()
        yield f"{name}: any JSON form verifies", refusal(key, other_form), None
        wrong_key = keys["down" if case["key"] == "up" else "up"]
        yield f"{name}: not under the other key", refusal(wrong_key, other_form), "signature-invalid"


def refusals(given):
    key = keys_of(given)["up"]
    for case in given["refused"]:
        yield f"refused: {case['name']}", refusal(key, case["json"].encode()), case["problem"]


def refusal(key, raw):
    """The name under which a body is refused; None for one that is not."""
    try:
        verified(key, raw)
    except Refused as error:
        return str(error)
    return None
