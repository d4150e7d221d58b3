"""The rule file: what it can say, and the line that says what it cannot."""

import logging

import pytest

from offcanvas.cutover.edit import change, stop
from offcanvas.cutover.live import LiveRules
from offcanvas.cutover.rules import Guard, parse
from offcanvas.errors import UsageError

HEAD = '[cutover]\nclaims = "redis://"\n'
ROOT = '[root."shop.charge"]\nto = "temporal"\n'


def test_a_file_with_everything():
    rules = parse(
        HEAD
        + 'when_claims_are_down = "celery"\nsalt = "s"\n'
        + ROOT
        + 'as = "port"\nworkflow = "Charge"\ntask_queue = "q"\npercent = 12.5\nkey = "order"\n'
        + 'on = ["a"]\noff = [7]\ntenant = "shop"\nid = ["order"]\ninput = "args"\n'
        + "restartable = true\nclaims = true\nsettle = 60\nsince = 5\n"
        + "guard = { failures = 0.02, p95 = 1.5, runs = 20, within = 600 }\n"
    )
    (rule,) = rules.roots.values()
    assert (rules.down, rules.salt) == ("celery", "s")
    assert (rule.root, rule.to, rule.runs, rule.percent) == (
        "shop.charge",
        "temporal",
        "port",
        12.5,
    )
    assert (rule.on, rule.off, rule.id, rule.tenant) == (("a",), ("7",), ("order",), "shop")
    assert (rule.workflow, rule.task_queue, rule.input) == ("Charge", "q", "args")
    assert rule.restartable
    assert rule.guard == Guard(0.02, 1.5, 20, 600)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x = [", "is not TOML"),
        ("[cutover]\nclaim = 1", "claim is not known; did you mean claims?"),
        (HEAD + '[root."a"]\n', "to = None: write 'temporal' or 'prefect'"),
        (HEAD + '[root."a"]\nto = "airflow"', "to = 'airflow': write 'temporal' or 'prefect'"),
        (HEAD + ROOT + "percent = 101", "percent = 101: write a number from 0 to 100"),
        (HEAD + ROOT + "percent = true", "percent = True: write a number from 0 to 100"),
        (HEAD + ROOT + "percents = 1", "percents is not known; did you mean percent?"),
        (HEAD + ROOT + ROOT, "two rules for one root"),
        (HEAD + ROOT + "percent = 1\npercent = 2", "two rules for one root, or one word twice"),
        (HEAD + ROOT + 'as = "own"', 'as = \'own\': write "kit" or "port"'),
        (HEAD + ROOT + 'workflow = "W"', 'workflow is for to = "temporal" with as = "port"'),
        (HEAD + ROOT + "on = [1]", "on and off need key or tenant"),
        (HEAD + ROOT + 'key="k"\non = [1]\noff = ["1"]', "1 stands in on and in off"),
        (HEAD + ROOT + "guard = {}", "guard needs failures or p95"),
        (ROOT, "[cutover] has no claims"),
        ('[cutover]\nclaims = "$NO_SUCH_VARIABLE"', "the variable NO_SUCH_VARIABLE is not set"),
    ],
)
def test_what_a_file_cannot_say(text, said):
    with pytest.raises(UsageError) as raised:
        parse(text, "cutover.toml")
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_rule_is_settled_when_its_last_change_is_long_ago():
    text = HEAD + ROOT + "settle = 100\nsince = 1000\n"
    assert not parse(text).roots["shop.charge"].is_settled(1_050)
    assert parse(text).roots["shop.charge"].is_settled(1_101)
    for more in ("percent = 10", "claims = true", 'key = "k"\non = ["a"]'):
        assert not parse(text + more).roots["shop.charge"].is_settled(1e9)
    assert parse(text + "percent = 100").roots["shop.charge"].is_settled(1e9)


def test_live_rules_are_read_again(tmp_path, caplog):
    path = tmp_path / "cutover.toml"
    path.write_text(HEAD + ROOT)
    live = LiveRules(path)
    before = live.now
    assert live.now is before
    path.write_text(HEAD + ROOT + "percent = 20\n")
    assert live.now.roots["shop.charge"].percent == 20
    with caplog.at_level(logging.ERROR):
        path.write_text(HEAD + ROOT + "percent = 200\n")
        assert live.now.roots["shop.charge"].percent == 20
        path.unlink()
        assert live.now.roots["shop.charge"].percent == 20
    assert "percent = 200" in caplog.text
    path.write_text(HEAD + ROOT + "percent = 30\n")
    assert live.now.roots["shop.charge"].percent == 30


def test_a_file_that_cannot_be_used_is_an_error_at_the_beginning(tmp_path):
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        LiveRules(tmp_path / "none.toml")


def test_a_change_keeps_comments_and_says_when(tmp_path):
    path = tmp_path / "cutover.toml"
    path.write_text(f"# ours\n{HEAD}\n{ROOT}percent = 1  # careful\n")
    change(path, "shop.charge", {"percent": 10, "key": "order"})
    text = path.read_text()
    assert "# ours" in text
    assert "# careful" in text
    (rule,) = parse(text).roots.values()
    assert (rule.percent, rule.key) == (10, "order")
    assert rule.since > 1.7e9
    change(path, "shop:book", {"to": "prefect", "percent": 0})
    assert set(parse(path.read_text()).roots) == {"shop.charge", "shop:book"}


def test_a_change_that_cannot_be_is_not_written(tmp_path):
    path = tmp_path / "cutover.toml"
    path.write_text(HEAD + ROOT)
    with pytest.raises(UsageError, match="percent = 300"):
        change(path, "shop.charge", {"percent": 300})
    assert path.read_text() == HEAD + ROOT
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_cannot_be_read_is_not_changed(tmp_path):
    path = tmp_path / "cutover.toml"
    path.write_bytes(b"\xff")
    for changing in (
        lambda: change(path, "shop.charge", {"percent": 1}),
        lambda: stop(path, "shop.charge", "by hand"),
    ):
        with pytest.raises(UsageError, match=r"cutover\.toml: cannot be read: 'utf-8'"):
            changing()
    assert path.read_bytes() == b"\xff"


def test_a_rollback_takes_everything_back(tmp_path):
    path = tmp_path / "cutover.toml"
    path.write_text(HEAD + ROOT + 'percent = 50\nkey = "order"\non = ["7"]\n')
    stop(path, "shop.charge", "by hand")
    (rule,) = parse(path.read_text()).roots.values()
    assert (rule.percent, rule.on) == (0, ())
    with pytest.raises(UsageError, match="there is no rule for shop"):
        stop(path, "shop.other", "by hand")
