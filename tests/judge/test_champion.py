"""Who is champion, told by what is served."""

from __future__ import annotations

from driftloop.streams.judge.champion import Champion, natural, next_champion


def served(champion: Champion | None, pane: float, *versions: str) -> Champion:
    return next_champion(champion, pane, [(v, "s") for v in versions])


def story(*panes: tuple[str, ...]) -> list[str]:
    champion, found = None, []
    for i, versions in enumerate(panes):
        champion = served(champion, float(i), *versions)
        found.append(champion.version)
    return found


def test_the_first_to_serve_is_champion_the_newest_of_several() -> None:
    assert story(("v1",)) == ["v1"]
    assert story(("v9", "v10")) == ["v10"]


def test_a_version_never_seen_before_takes_over_at_once() -> None:
    assert story(("v1",), ("v1", "v2"), ("v2",)) == ["v1", "v2", "v2"]


def test_an_app_that_lags_behind_does_not_bring_the_old_one_back() -> None:
    assert story(("v1",), ("v1", "v2"), ("v1", "v2"), ("v2",)) == ["v1", "v2", "v2", "v2"]


def test_a_roll_back_counts_from_the_first_pane_that_the_former_has_to_itself() -> None:
    assert story(("v1",), ("v2",), ("v1", "v2"), ("v1",), ("v1",)) == ["v1", "v2", "v2", "v1", "v1"]


def test_since_is_when_it_took_over_and_an_older_pane_changes_nothing() -> None:
    first = served(None, 0.0, "v1")
    second = served(first, 6.0, "v2")
    assert (second.since, second.newest) == (6.0, 6.0)
    assert served(second, 3.0, "v1", "v7") == second
    assert served(second, 6.0, "v1") == second
    assert served(second, 7.0, "v2").since == 6.0


def test_another_specification_of_the_same_version_is_another_champion() -> None:
    first = next_champion(None, 0.0, [("v1", "old")])
    after = next_champion(first, 1.0, [("v1", "new")])
    assert (after.version, after.spec, after.since) == ("v1", "new", 1.0)


def test_versions_are_ordered_as_people_read_them() -> None:
    assert sorted(["v10", "v2", "2013-02", "v2b", ""], key=natural) == ["", "2013-02", "v2", "v2b", "v10"]


def test_a_version_that_only_looks_like_a_number_is_a_version() -> None:
    """An app may say anything; the judge must not break on it, and come back to it after every start."""
    odd = ["9" * 5_000, "²", "v1²", "v٣"]
    assert sorted(odd, key=natural) == ["9" * 5_000, "v1²", "v٣", "²"]
