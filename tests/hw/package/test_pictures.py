"""The pictures show what is there."""

import xml.dom.minidom
from pathlib import Path

from xorweave.golden.code.code import Code
from xorweave.hw.package.pictures import handshake, main, schematic
from xorweave.hw.xor.network import balanced_trees


def test_schematic_has_every_gate_register_and_output() -> None:
    code = Code.uniform(n_in=2, n_out=5, n_s=1, seed=3)
    picture = xml.dom.minidom.parseString(schematic(code))
    assert len(picture.getElementsByTagName("circle")) == balanced_trees(code.generator).xor2
    boxes = [r for r in picture.getElementsByTagName("rect") if r.getAttribute("class") == "box"]
    assert len(boxes) == code.constraint_length
    texts = [t.firstChild.data for t in picture.getElementsByTagName("text")]  # type: ignore[union-attr]
    assert [f"y{r}" for r in range(5)] == [t.split()[0] for t in texts if t.startswith("y")]


def test_handshake_shows_each_block_once_in_order() -> None:
    text = handshake(Code.uniform(n_in=3, n_out=8, n_s=2, seed=1))
    picture = xml.dom.minidom.parseString(text)
    texts = [t.firstChild.data for t in picture.getElementsByTagName("text")]  # type: ignore[union-attr]
    blocks = [t for t in texts if t[0] == "b" and t[1:].isdigit()]
    assert sorted(set(blocks), key=lambda b: int(b[1:])) == list(dict.fromkeys(blocks))
    assert blocks.count("b3") == 3  # it waits for two cycles


def test_the_documentation_has_the_pictures_of_today(tmp_path: Path) -> None:
    main(str(tmp_path))
    docs = Path(__file__).parents[3] / "docs" / "pictures"
    for made in tmp_path.iterdir():
        assert (docs / made.name).read_text() == made.read_text()
