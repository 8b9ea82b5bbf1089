"""How far a long step is, in a log file."""

from soulspot_db.cli import bar as module
from soulspot_db.cli.bar import Bar


def test_a_log_file_is_told_from_time_to_time_and_at_the_end(capsys, monkeypatch):
    now = 0.0
    monkeypatch.setattr(module, "monotonic", lambda: now)
    with Bar() as bar:
        for done in range(1, 26):
            now += 1
            bar.progress("rebuilding tracks", done, 25)
    assert capsys.readouterr().out.splitlines() == [
        "rebuilding tracks: 10 of 25 rows",
        "rebuilding tracks: 20 of 25 rows",
        "rebuilding tracks: 25 rows",
    ]
