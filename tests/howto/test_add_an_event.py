"""Does docs/howto/add-an-event.md work for somebody who follows it to the letter?"""

import json
import re
import sys
from pathlib import Path

from tests.schemas.homes import ROOT, run, tree

PAGE = (ROOT / "docs" / "howto" / "add-an-event.md").read_text(encoding="utf-8")
FILE = re.compile(r"^ *`(schemas/\S+)`:\n\n *```json\n(.*?)```", re.MULTILINE | re.DOTALL)
SHELL = re.compile(r"```sh\n(.*?)```", re.DOTALL)
THROUGH_THE_WIRE = """
import sys
from schemas.generated.inputs import example, parse, to_event
from schemas.topics import TOPIC_OF
from schemas.wire.codec import decode, encode, key_of
from tests.schemas.sealers import OpenSealer

event = to_event(parse(example(sys.argv[1])), OpenSealer())
assert decode(encode(event)) == event
assert key_of(event) == event.profile_id
print(TOPIC_OF[sys.argv[1]].name)
"""


def test_the_page_adds_an_event_with_one_file_by_hand(tmp_path: Path) -> None:
    home = tree(tmp_path)
    before = (home / "history" / "ids.json").read_text(encoding="utf-8")
    files = FILE.findall(PAGE)
    assert [path for path, _ in files] == ["schemas/contracts/contacts/coupon_expired.avsc"]
    for path, text in files:
        (tmp_path / path).write_text(text, encoding="utf-8")
    commands = [line.split() for block in SHELL.findall(PAGE) for line in block.splitlines()]
    said = [run(tmp_path, *command) for command in commands if command]
    assert json.loads(said[-1])["type"] == "CouponExpired"
    told = run(tmp_path, sys.executable, "-c", THROUGH_THE_WIRE, "CouponExpired")
    assert told.strip() == "commerce.contacts"
    released = json.loads((home / "history" / "ids.json").read_text(encoding="utf-8"))
    assert json.loads(before).items() < released.items()
    (made,) = released.keys() - json.loads(before).keys()
    assert released[made]["subject"] == "commerce.contacts-hitotsu.CouponExpired"
