"""Pages of councils: who sees and may do what, forms that refuse without losing anything; and the API beside them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from portal.core import tokens
from reviews.councils import voting
from reviews.models import Council, Member, Review, Vote
from tests.reviews import chambers
from tests.reviews.chambers import document, hand_in, members
from tests.signing_in import SignIn
from tests.tickets import build as tickets
from workers.models import Job

if TYPE_CHECKING:
    from django.test import Client

    from tests.factories import World

pytestmark = pytest.mark.pages
NEW = "/reviews/councils/new/"


def test_each_reader_sees_the_councils_of_own_projects_and_the_deeds_they_may_do(world: World, sign_in: SignIn) -> None:
    council = chambers.disputed(world.mc, world.reviewer, by=world.reviewer)
    url = council.get_absolute_url()
    page = {who: sign_in(getattr(world, who)).get(url).content.decode() for who in ("viewer", "operator", "reviewer")}
    for one in page.values():
        assert "They grade it differently: hawk: critical, dove: medium." in one
        assert "found by 2 of 2" in one and "1 member" not in one
        assert "It handed in no document" in one
        assert "<b>hinges</b>" not in one and "<strong>hinges</strong>" in one
    assert f"{url}vote/" in page["reviewer"] and f"{url}close/" in page["reviewer"]
    assert f"{url}vote/" not in page["operator"] and f"{url}review/" in page["operator"]
    assert "again/" in page["operator"] and f'action="{url}' not in page["viewer"]
    assert sign_in(world.outsider).get(url).status_code == 404
    listed = sign_in(world.viewer).get("/reviews/councils/?state=open").content.decode()
    assert "Send first, delete by id and fence" in listed
    assert "No council matches" in sign_in(world.viewer).get("/reviews/councils/?state=closed").content.decode()


def test_reviews_are_asked_for_from_a_page(world: World, sign_in: SignIn) -> None:
    tickets.repository(world.mc)
    agent, browser = chambers.agent("critic"), sign_in(world.operator)
    sent = {
        "project": "MC",
        "about": "diff",
        "asked_for": "main",
        "since": "v1",
        "agents": [agent.pk],
        "people": f"{world.reviewer.email}\n",
        "instructions": "Look at the hinges.",
        "series": "Doors",
        "quorum": "1",
        "imports": "on",
    }
    answer = browser.post(NEW, sent)
    council = Council.objects.get()
    assert (answer.status_code, answer.headers["Location"]) == (302, council.get_absolute_url())
    assert (council.about, council.asked, council.asked_from, council.state) == ("diff", "main", "v1", "looking")
    assert (council.quorum, council.imports, council.asked_by) == (1, True, world.operator)
    assert [str(member) for member in members(council)] == ["critic", str(world.reviewer)]
    assert Job.objects.filter(kind="council.open", subject=council.subject).count() == 1


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"agents": []}, "at least one agent"),
        ({"agents": ["9" * 30]}, "Choose agents of the list."),
        ({"people": "nobody@example.org"}, "No operator of the project has the address nobody@example.org."),
        ({"about": "diff"}, "Say where the diff begins."),
        ({"since": "v1"}, "Only a diff begins somewhere"),
        ({"about": "ticket", "asked_for": "MC-99999"}, "MC has no ticket MC-99999."),
        ({"about": "ticket"}, "Name the ticket."),
        ({"about": "moon"}, "Choose what it is about."),
        ({"asked_for": "a..b"}, "no two dots in a row"),
        ({"deadline": "2020-01-01"}, "That is over already"),
        ({"deadline": "soon"}, "Write the day as"),
        ({"quorum": "0"}, "greater than or equal to 1"),
        ({"quorum": "7"}, "cannot be had"),
        ({"series": ""}, "Series is required."),
        ({"instructions": "x" * 100_001}, "At most 100,000 characters"),
    ],
)
def test_a_bad_form_is_said_in_place_and_nothing_is_lost(
    world: World, sign_in: SignIn, changes: dict[str, Any], said: str
) -> None:
    tickets.repository(world.mc)
    agent = chambers.agent("critic")
    sent = {"project": "MC", "about": "branch", "agents": [agent.pk], "series": "Doors", "instructions": "Look here."}
    answer = sign_in(world.operator).post(NEW, sent | changes)
    page = answer.content.decode()
    assert answer.status_code in {409, 422} and said in page
    assert "Look here." in page or "instructions" in changes
    assert Council.objects.count() == 0


def test_a_project_of_others_is_not_asked_in(world: World, sign_in: SignIn) -> None:
    agent = chambers.agent("critic")
    sent = {"project": "MC", "about": "branch", "agents": [agent.pk], "series": "Doors"}
    answer = sign_in(world.viewer).post(NEW, sent)
    assert answer.status_code == 422 and Council.objects.count() == 0


def test_a_member_hands_in_votes_and_a_reviewer_closes(world: World, sign_in: SignIn) -> None:
    council = chambers.council(world.mc, [chambers.agent("critic")], [world.reviewer])
    url, browser = council.get_absolute_url(), sign_in(world.reviewer)
    hand_in(members(council)[0], document("Ship."))
    empty = browser.post(f"{url}vote/", {"reason": "I thought about it."})
    assert empty.status_code == 422
    assert "Choose what you vote." in empty.content.decode() and "I thought about it." in empty.content.decode()
    assert browser.post(f"{url}review/", {"text": ""}).status_code == 422
    early = browser.post(f"{url}close/", {"expected_version": council.version})
    assert early.status_code == 409 and "1 more vote needed" in early.content.decode()
    assert browser.post(f"{url}review/", {"text": document("Ship.", second="The sill rots")}).status_code == 302
    assert browser.post(f"{url}vote/", {"ballot": "ship", "reason": "Fine."}).status_code == 302
    member = members(council)[1]
    assert browser.post(f"{url}members/{members(council)[0].pk}/import/").status_code == 302
    assert (Review.objects.get(pk=members(council)[0].review_id).state, member.state) == ("applied", "answered")
    stale = browser.post(f"{url}close/", {"expected_version": 99})
    assert stale.status_code == 409
    council.refresh_from_db()
    assert browser.post(f"{url}close/", {"expected_version": council.version}).status_code == 302
    council.refresh_from_db()
    assert (council.state, council.outcome) == ("closed", "ship")
    assert (
        browser.post(f"{url}void/", {"expected_version": council.version, "reason": "Pushed anew."}).status_code == 302
    )
    page = browser.get(url).content.decode()
    assert "Pushed anew." in page and "No verdict goes by it." in page


def test_an_answer_that_is_none_is_asked_for_again(world: World, sign_in: SignIn) -> None:
    tickets.repository(world.mc)
    council = chambers.council(world.mc, [chambers.agent("critic")], authors=[])
    member = hand_in(members(council)[0], "", problem="It handed in no document.")
    again = f"{council.get_absolute_url()}members/{member.pk}/again/"
    browser = sign_in(world.operator)
    assert browser.post(again, {"expected_version": member.version}).status_code == 302
    member.refresh_from_db()
    assert (member.state, member.problem) == ("waiting", "")
    assert member.ticket is not None and member.ticket.state == "queued"
    twice = browser.post(again, {"expected_version": member.version})
    assert twice.status_code == 409
    # Its page says for whom its agent reads, and what it is told.
    assert council.get_absolute_url() in browser.get(member.ticket.get_absolute_url()).content.decode()
    told = browser.get(f"{member.ticket.get_absolute_url()}prompt/?purpose=review").content.decode()
    assert council.commit[:12] in told and "Change nothing" in told and "## Verdict" in told


def test_the_api_asks_votes_and_tells(world: World, client: Client) -> None:
    tickets.repository(world.mc)
    chambers.agent("critic")
    token = tokens.issue(world.reviewer, name="laptop", days=1, may_write=True)[1]

    def call(method: str, path: str, body: Any = None) -> Any:
        send = getattr(client, method)
        sent = {"data": json.dumps(body), "content_type": "application/json"} if method == "post" else {}
        return send(f"/api/v1{path}", headers={"Authorization": f"Bearer {token}"}, **sent)

    asked = call("post", "/projects/MC/councils", {"about": "branch", "asked": "main", "agents": ["critic"]})
    assert (asked.status_code, asked.json()["state"]) == (200, "looking")
    for body, field in (({"agents": ["nobody"]}, "agents"), ({"agents": ["critic"], "since": "v1"}, "since")):
        refused = call("post", "/projects/MC/councils", {"about": "branch", **body})
        assert (refused.status_code, refused.json()["error"]["field"]) == (400, field)
    council = chambers.disputed(world.mc, world.reviewer, by=world.reviewer)
    told = call("get", f"/councils/{council.pk}").json()
    assert [member["vote"] for member in told["members"]] == ["ship_after", "ship", None, None]
    assert told["findings"][0]["found_by"] == ["hawk", "dove"]
    assert call("post", f"/councils/{council.pk}/vote", {"vote": "maybe", "reason": "x"}).status_code == 400
    voted = call("post", f"/councils/{council.pk}/vote", {"vote": "ship", "reason": "Fine."}).json()
    assert (voted["missing"], voted["members"][3]["vote"]) == (1, "ship")
    early = call("post", f"/councils/{council.pk}/close", {"version": voted["version"]})
    assert early.status_code == 409
    assert [one["id"] for one in call("get", f"/councils?commit={council.commit[:9]}").json()["items"]] == [council.pk]


def test_the_admin_asks_closes_and_makes_void(world: World, sign_in: SignIn) -> None:
    tickets.repository(world.mc)
    council = chambers.council(world.mc, [chambers.agent("critic")])
    hand_in(members(council)[0], document("Ship."))
    browser, of = sign_in(world.admin), f"/admin/reviews/council/{council.pk}/do"
    assert browser.get(f"/admin/reviews/council/{council.pk}/change/").status_code == 200
    assert browser.post(f"{of}/close/", {"expected_version": council.version}).status_code == 302
    council.refresh_from_db()
    assert council.outcome == "ship"
    assert browser.post(f"{of}/void/", {"expected_version": council.version, "reason": "Pushed."}).status_code == 302
    series = council.series_id
    asked = browser.post(
        f"/admin/reviews/series/{series}/do/ask/", {"about": "branch", "agents": [members(council)[0].agent_id]}
    )
    assert asked.status_code == 302, asked.content.decode()[:3000]
    assert Council.objects.count() == 2
    vote, member = Vote.objects.get(), Member.objects.earliest("pk")
    for page in (f"vote/{vote.pk}", f"member/{member.pk}"):
        assert browser.get(f"/admin/reviews/{page}/change/").status_code == 200
    assert voting.tally(council).missing == 0
