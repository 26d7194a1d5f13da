"""Which test of the conformance kit is meant for which driver of this package, and words of its failure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from broken import answers, logins, manners, owners, paper, removal, rights, secrecy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from broken.base import Broken
    from kamaji_core.contracts import Claim
    from kamaji_core.testing.datastore import StoreUnderTest

CAUGHT_BY: dict[type[Broken], tuple[str, str]] = {
    rights.WholeStore: ("test_two_tenants_cannot_reach_each_other", "read the ke"),
    rights.EnsureAddsOnly: ("test_what_was_changed_is_found_and_mended[rights]", "has more rights"),
    removal.ForgetsTheData: ("test_remove_leaves_nothing", "key b'/kit"),
    removal.ForgetsARecord: ("test_remove_of_a_reservation", "uid-kit-"),
    removal.RemovesNeighbours: ("test_neighbours_cannot_reach_each_other[10]", "None == b'ours'"),
    owners.LooksThenWrites: ("test_at_once_one_wins", "became the owner"),
    owners.BelievesTheStatus: ("test_a_record_outweighs_a_status", "was not refused"),
    owners.TriesForEver: ("test_a_schema_has_one_owner", "retry should be False"),
    owners.ReservesHalf: ("test_the_refused_gets_nothing", "belongs to the TenantControlPlane"),
    owners.GivesAwayTheOperator: ("test_the_operator_s_login_is_no_tenant_s", "was not refused"),
    answers.CountsNothing: ("test_usage_grows_with_data", "Usage(keys=0"),
    answers.MendsInSecret: ("test_what_was_changed_is_found_and_mended[user]", "nothing is found"),
    answers.OneKindForAll: ("test_each_trouble_has_its_kind[tls]", "ProbeKind.REFUSED"),
    answers.SpeaksInCodes: ("test_each_trouble_has_its_kind[auth]", "ends with a full stop"),
    manners.LeaksATask: ("test_closing_ends_everything", "tasks go on by themselves"),
    manners.CancellationIsATimeOut: ("test_cancelled_at_every_await[ensure]", "the call raised StoreError"),
    manners.HalfDoneForEver: ("test_cancelled_at_every_await[ensure]", "permission denied"),
    manners.ClosesOnce: ("test_closing_what_was_never_used", "aclose raised RuntimeError"),
    paper.KeepsAnothers: ("test_credentials_of_another_are_not_kept", "same("),
    paper.IssuesOverTheNetwork: ("test_issue_is_pure", "reaches outside"),
    paper.FindsFaultWithAll: ("test_a_sound_store_has_no_problems", "should be others"),
    paper.MountsForNobody: ("test_mounts_are_of_volumes_and_containers_that_exist", "the unknown container 'kine'"),
    paper.UnknownSecret: ("test_volumes_have_one_source_that_exists", "etcd-certificates"),
    paper.RestartsOnNothing: ("test_what_restarts_pods_exists", "the unknown Secret"),
    paper.ReadsNoKey: ("test_variables_are_of_secrets_that_exist", "has no key 'ENDPIONT'"),
    paper.OneShareForAll: ("test_two_tenants_get_two_shares", "re.search"),
    paper.NamesAFileOfNobody: ("test_files_that_are_named_are_mounted", "names a file that is not in"),
    secrecy.SecretInACommand: ("test_no_secret_stands_in_parts", "the command of relay holds a secret"),
    secrecy.SecretInTheEnvironment: ("test_no_secret_stands_in_parts", "the variable KEY holds a secret"),
    secrecy.SecretInASentence: ("test_nobody_listens", "secret"),
}

CAUGHT_WITH_LOGINS: dict[type[Broken], tuple[str, str]] = {
    logins.KeepsTheEarlier: ("test_settle_ends_the_earlier", "DID NOT RAISE"),
    logins.EndsThePresent: ("test_settle_keeps_the_present", "permission denied"),
    logins.EndsTheEarlierAtOnce: ("test_renewed_credentials_work_beside_the_earlier", "permission denied"),
    logins.RevokesOneLogin: ("test_revoke_stops_every_live_client", "a live client to be shut out"),
    logins.LeavesLogins: ("test_remove_leaves_nothing_of_renewed_credentials", "login 'kit"),
    logins.EndsAnybodys: ("test_others_can_settle_nothing", "permission denied"),
}


async def _leftovers(self: StoreUnderTest, claim: Claim) -> Sequence[str]:
    """What etcd holds of a claim, and its logins besides."""
    there: Sequence[str] = await super(type(self), self).leftovers(claim)
    session = logins.Logins().open(self.store())
    try:
        return [*there, *(f"login {user!r}" for user in sorted(await session.logins(claim)))]
    finally:
        await session.aclose()


WITH_LOGINS: dict[str, Any] = {"CANNOT": {}, "leftovers": _leftovers}
"""The store under test where earlier logins can be ended."""

FURTHER: dict[str, tuple[type[Broken], dict[str, Any], str, str]] = {
    **{driver.__name__: (driver, {}, test, words) for driver, (test, words) in CAUGHT_BY.items()},
    **{driver.__name__: (driver, WITH_LOGINS, test, words) for driver, (test, words) in CAUGHT_WITH_LOGINS.items()},
}
"""By name: the driver, changes of its store under test, the test that is meant for it, and words of its failure."""
