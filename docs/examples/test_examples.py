"""Tests of the examples: `python3 -m unittest discover docs/examples -p 'test_*.py'`."""
import json
import os
import stat
import struct
import tempfile
import unittest
from datetime import datetime, timedelta, timezone

import agent
from pingup_wire import (Hub, Refused, Stop, canonical, es6_number, hkdf, parse_strict, read_join_token, read_time,
                         sign, write_time)


class CanonicalJson(unittest.TestCase):
    def test_numbers_are_written_as_ecmascript_does(self):
        for bits, text in [  # RFC 8785, appendix B
            (0x0000000000000000, "0"), (0x8000000000000000, "0"), (0x0000000000000001, "5e-324"),
            (0x8000000000000001, "-5e-324"), (0x7FEFFFFFFFFFFFFF, "1.7976931348623157e+308"),
            (0x4340000000000000, "9007199254740992"), (0x4430000000000000, "295147905179352830000"),
            (0x44B52D02C7E14AF5, "9.999999999999997e+22"), (0x44B52D02C7E14AF6, "1e+23"),
            (0x444B1AE4D6E2EF4F, "999999999999999900000"), (0x444B1AE4D6E2EF50, "1e+21"),
            (0x3EB0C6F7A0B5ED8D, "0.000001"), (0x3EB0C6F7A0B5ED8C, "9.999999999999997e-7"),
            (0x41B3DE4355555553, "333333333.3333332"), (0x41B3DE4355555557, "333333333.33333343"),
            (0xBECBF647612F3696, "-0.0000033333333333333333"), (0x43143FF3C1CB0959, "1424953923781206.2"),
        ]:
            self.assertEqual(es6_number(struct.unpack(">d", bits.to_bytes(8, "big"))[0]), text)
        for value, text in [(1.0, "1"), (100.0, "100"), (0.1, "0.1"), (1e-7, "1e-7"), (120.5, "120.5")]:
            self.assertEqual(es6_number(value), text)

    def test_names_are_ordered_by_utf16_code_units(self):
        self.assertEqual(canonical({"\ufb33": 1, "\U0001f602": 2, "a": 3}), '{"a":3,"\U0001f602":2,"\ufb33":1}')

    def test_text_is_escaped_no_more_than_needed(self):
        self.assertEqual(canonical("\"\\/\b\t\n\f\r\x01\x1f\x7fé😂"), '"\\"\\\\/\\b\\t\\n\\f\\r\\u0001\\u001f\x7fé😂"')

    def test_what_is_no_strict_json_is_refused_by_name(self):
        for raw, name in [
            (b"\xef\xbb\xbf{}", "invalid-unicode"), (b'"\xff"', "invalid-unicode"),
            (b'{"\\udc00":1}', "invalid-unicode"), (b"true false", "malformed-json"),
            (b"NaN", "malformed-json"), (b"01", "malformed-json"), (b'"\n"', "malformed-json"), (b"", "malformed-json"),
            (b"9007199254740992", "number-out-of-range"), (b"-1e999", "number-out-of-range"),
            (b"1" * 5000, "number-out-of-range"), (b"[" * 17 + b"]" * 17, "nesting-too-deep"),
            (b"[" * 200_000, "nesting-too-deep"), (b'"' + b"x" * 65_537 + b'"', "schema-invalid"),
            (json.dumps({str(i): 0 for i in range(1_025)}).encode(), "schema-invalid"),
        ]:
            with self.assertRaisesRegex(Refused, f"^{name}$"):
                parse_strict(raw)
        longest, deepest = b'"' + b"x" * 65_536 + b'"', b"[" * 16 + b"]" * 16
        for raw in [b"9007199254740991", b"1e16", deepest, longest, b'"\\ud83d\\ude02"']:
            parse_strict(raw)


class Keys(unittest.TestCase):
    def test_hkdf_is_rfc_5869(self):  # its test cases 1 and 3, the first 32 bytes
        okm = hkdf(b"\x0b" * 22, bytes(range(13)), bytes(range(0xF0, 0xFA)))
        self.assertEqual(okm.hex(), "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf")
        okm = hkdf(b"\x0b" * 22, b"", b"")
        self.assertEqual(okm.hex(), "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d")

    def test_a_join_token_is_split_at_its_first_two_underscores(self):
        self.assertEqual(read_join_token("pjt_a1_" + "_" * 43)[0], "a1")
        for bad in ["", "pjt_", "pjt_a", "pjt__" + "A" * 43, "pjt_a_" + "A" * 42, "xyz_a_" + "A" * 43]:
            with self.assertRaises(Stop):
                read_join_token(bad)

    def test_tokens_do_not_leave_the_machine_in_the_clear(self):
        for url in ["http://192.0.2.1", "ftp://localhost", "localhost:80", "http://localhost/x"]:
            with self.assertRaises(Stop):
                Hub(url, insecure_http=False)
        for url in ["http://localhost:1", "http://127.0.0.2", "http://[::1]:8080", "https://hub.example"]:
            Hub(url, insecure_http=False)

    def test_an_authority_is_one_or_is_refused(self):
        with tempfile.NamedTemporaryFile() as empty:
            for url, ca in [("http://localhost:1", empty.name), ("https://hub.example", empty.name),
                            ("https://hub.example", "/nowhere/ca.pem")]:
                with self.assertRaisesRegex(Stop, "--hub-ca: "):
                    Hub(url, insecure_http=False, ca=ca)


class Times(unittest.TestCase):
    def test_any_number_of_digits_and_any_offset_is_read(self):
        moment = datetime(2026, 2, 25, 10, 0, 0, 250_000, timezone.utc)
        for text in ["2026-02-25T10:00:00.25Z", "2026-02-25T11:00:00.250000999+01:00", write_time(moment)]:
            self.assertEqual(read_time(text), moment)
        with self.assertRaises(ValueError):
            read_time("2026-02-25")


class Commands(unittest.TestCase):
    """§7: what is run, what is rejected, what is ignored."""

    DOWN = b"d" * 32

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = os.path.join(folder.name, "state.json")
        state = agent.State(self.path)
        key = "ZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGQ="
        state.update(agentId="A", token="t", keys={"up": key, "down": key}, boot=1, seq=0, commandSeq=4, spool=[],
                     results=[], running=None)
        self.agent = agent.Agent(hub=None, state=state)
        self.now = datetime(2026, 2, 25, 10, 0, tzinfo=timezone.utc)

    def command(self, **changes):
        body = {"commandId": "CMD-2026-005", "agentId": "A", "commandSeq": 5, "action": "ping", "params": {},
                "issuedAt": write_time(self.now), "expiresAt": write_time(self.now + timedelta(seconds=1)), **changes}
        return json.loads(sign(self.DOWN, body))

    def results(self):
        return [(result["status"], result["commandSeq"]) for result in agent.State(self.path)["results"]]

    def test_a_command_runs_once(self):
        self.agent.obey(self.command(), self.now, self.now, self.DOWN)
        self.agent.obey(self.command(), self.now, self.now, self.DOWN)
        self.assertEqual(self.results(), [("succeeded", 5)])
        self.assertEqual(agent.State(self.path)["commandSeq"], 5)

    def test_what_is_not_on_the_list_is_rejected(self):
        self.agent.obey(self.command(action="exec", params={"argv": ["true"]}), self.now, self.now, self.DOWN)
        self.assertEqual(self.results(), [("rejected", 5)])

    def test_what_is_not_ours_is_ignored(self):
        tampered = {**self.command(), "action": "exec"}
        for command in [tampered, self.command(agentId="B"), self.command(commandSeq=4)]:
            self.agent.obey(command, self.now, self.now, self.DOWN)
        self.assertEqual((self.results(), agent.State(self.path)["commandSeq"]), ([], 4))

    def test_what_was_handed_out_too_late_is_rejected(self):
        late = self.now + timedelta(seconds=1)
        self.agent.obey(self.command(), late, late, self.DOWN)
        self.assertEqual((self.results(), agent.State(self.path)["commandSeq"]), ([("rejected", 5)], 5))

    def test_what_expires_here_is_left_to_the_hub(self):
        self.assertFalse(self.agent.obey(self.command(), self.now, self.now + timedelta(seconds=1), self.DOWN))
        self.assertEqual((self.results(), agent.State(self.path)["commandSeq"]), ([], 4))

    def test_the_state_is_its_owners_alone(self):
        self.assertEqual(stat.S_IMODE(os.stat(self.path).st_mode), 0o600)


if __name__ == "__main__":
    unittest.main()
