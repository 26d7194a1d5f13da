"""Which test of the conformance kit is meant for which broken driver."""

from __future__ import annotations

from typing import TYPE_CHECKING

from broken import answers, logins, manners, owners, paper, removal, rights, secrecy

if TYPE_CHECKING:
    from kamaji_core.contracts import DatastoreDriver

CAUGHT_BY: dict[type[DatastoreDriver], str] = {
    rights.OpenRange: "test_neighbours_cannot_reach_each_other[0]",
    rights.WholeStore: "test_two_tenants_cannot_reach_each_other",
    rights.NoRevoke: "test_revoke_ends_the_login",
    rights.RevokeTakesTheData: "test_access_comes_back_with_the_data",
    rights.ReserveGivesRights: "test_a_reservation_lets_nobody_in",
    rights.EnsureAddsOnly: "test_what_was_changed_is_found_and_mended[rights]",
    rights.EnsureOnce: "test_access_comes_back_with_the_data",
    rights.AnyCredentials: "test_another_user_s_credentials_are_refused",
    removal.ForgetsTheRole: "test_remove_leaves_nothing",
    removal.ForgetsTheUser: "test_remove_may_be_repeated",
    removal.ForgetsTheData: "test_remove_leaves_nothing",
    removal.ForgetsARecord: "test_remove_of_a_reservation",
    removal.RemovesNeighbours: "test_neighbours_cannot_reach_each_other[10]",
    removal.RemovesAnybodys: "test_others_can_neither_revoke_nor_remove",
    removal.MissesWhatIsGone: "test_remove_of_what_is_not_there",
    owners.NamesDecide: "test_the_uid_decides",
    owners.LastOneWins: "test_a_schema_has_one_owner",
    owners.SchemaAlone: "test_a_user_has_one_owner",
    owners.LooksThenWrites: "test_at_once_one_wins",
    owners.TakesWhatNobodyOwns: "test_what_nobody_owns_is_not_taken",
    owners.BelievesTheStatus: "test_a_record_outweighs_a_status",
    owners.TriesForEver: "test_a_schema_has_one_owner",
    owners.ReservesHalf: "test_the_refused_gets_nothing",
    owners.GivesAwayTheOperator: "test_the_operator_s_login_is_no_tenant_s",
    logins.KeepsTheEarlier: "test_settle_ends_the_earlier",
    logins.EndsThePresent: "test_settle_keeps_the_present",
    logins.EndsTheEarlierAtOnce: "test_renewed_credentials_work_beside_the_earlier",
    logins.RevokesOneLogin: "test_revoke_stops_every_live_client",
    logins.LeavesLogins: "test_remove_leaves_nothing_of_renewed_credentials",
    logins.EndsAnybodys: "test_others_can_settle_nothing",
    answers.CountsNeighbours: "test_usage_counts_no_neighbour",
    answers.CountsNothing: "test_usage_grows_with_data",
    answers.ListsPartly: "test_claims_are_listed_exactly",
    answers.SeesNoDrift: "test_what_was_changed_is_found_and_mended[user]",
    answers.MendsInSecret: "test_what_was_changed_is_found_and_mended[user]",
    answers.KnocksOnly: "test_each_trouble_has_its_kind[permission]",
    answers.ProbeRaises: "test_nobody_listens",
    answers.OneKindForAll: "test_each_trouble_has_its_kind[tls]",
    answers.FullIsWell: "test_a_full_store_is_told",
    answers.FailsItsOwnWay: "test_the_server_is_gone[reserve]",
    answers.SpeaksInCodes: "test_each_trouble_has_its_kind[auth]",
    paper.LoadsAtOnce: "test_the_entry_module_is_light",
    paper.RestlessCredentials: "test_good_credentials_are_kept",
    paper.StoreChangesCredentials: "test_credentials_are_kept_when_something_else_changes",
    paper.NeverRenews: "test_renewal_makes_new_ones",
    paper.KeepsUntilTheEnd: "test_credentials_that_end_are_renewed_in_time",
    paper.KeepsAnothers: "test_credentials_of_another_are_not_kept",
    paper.IssuesOverTheNetwork: "test_issue_is_pure",
    paper.ValidatesOverTheNetwork: "test_validate_is_pure",
    paper.AcceptsEverything: "test_each_mistake_is_told",
    paper.FindsFaultWithAll: "test_a_sound_store_has_no_problems",
    paper.UnsteadyParts: "test_parts_are_stable",
    paper.MountsNothing: "test_mounts_are_of_volumes_and_containers_that_exist",
    paper.MountsForNobody: "test_mounts_are_of_volumes_and_containers_that_exist",
    paper.UnknownSecret: "test_volumes_have_one_source_that_exists",
    paper.RestartsOnNothing: "test_what_restarts_pods_exists",
    paper.ReadsNoKey: "test_variables_are_of_secrets_that_exist",
    paper.OneShareForAll: "test_two_tenants_get_two_shares",
    paper.NamesAFileOfNobody: "test_files_that_are_named_are_mounted",
    paper.LoginRollsPods: "test_the_operator_s_own_login_rolls_no_pods",
    secrecy.SecretInAFlag: "test_no_secret_stands_in_parts",
    secrecy.SecretInACommand: "test_no_secret_stands_in_parts",
    secrecy.SecretInTheEnvironment: "test_no_secret_stands_in_parts",
    secrecy.SecretOnTheDisk: "test_opening_is_no_connection",
    secrecy.SecretInASentence: "test_nobody_listens",
    secrecy.SecretInAnError: "test_no_secret_in_a_sentence",
    secrecy.LogsASecret: "test_no_secret_is_logged",
    secrecy.LogsASecretForDebugging: "test_no_secret_is_logged",
    manners.LeaksAConnection: "test_closing_ends_everything",
    manners.LeaksWhenCancelled: "test_cancelled_calls_leave_nothing_running",
    manners.LeaksATask: "test_closing_ends_everything",
    manners.SwallowsCancellation: "test_cancelled_at_every_await[ensure]",
    manners.CancellationIsATimeOut: "test_cancelled_at_every_await[ensure]",
    manners.HalfDoneForEver: "test_cancelled_at_every_await[ensure]",
    manners.BlocksTheLoop: "test_the_loop_is_never_blocked",
    manners.ComputesOnTheLoop: "test_the_loop_is_never_blocked",
    manners.WaitsForEver: "test_nobody_answers",
    manners.NeverHeals: "test_the_server_is_gone[reserve]",
    manners.ClosesOnce: "test_closing_ends_everything",
    manners.ConnectsAtOnce: "test_opening_is_no_connection",
    manners.OneConnectionEach: "test_few_connections_serve_many_tenants",
}

ALWAYS = frozenset(
    {
        rights.OpenRange,
        rights.NoRevoke,
        logins.KeepsTheEarlier,
        manners.LeaksAConnection,
        manners.SwallowsCancellation,
        owners.NamesDecide,
        manners.BlocksTheLoop,
        secrecy.LogsASecret,
        manners.WaitsForEver,
        removal.ForgetsTheRole,
    }
)
"""Drivers with the faults that are made most often; they are run in every run of the tests."""

SLOW = frozenset({manners.LeaksWhenCancelled, manners.NeverHeals})
"""Drivers whose fault shows only after a long wait; they are run where KAMAJI_EXPLORE asks for all."""

BY_ITS_ERROR = frozenset(
    {
        rights.EnsureOnce,
        manners.HalfDoneForEver,
        removal.MissesWhatIsGone,
        owners.ReservesHalf,
        logins.EndsThePresent,
        logins.EndsTheEarlierAtOnce,
        logins.EndsAnybodys,
        answers.ProbeRaises,
    }
)
"""Drivers whose own error, or the store's refusal, is what the test fails by: a call that had to succeed did not."""

ENTRIES: dict[type[DatastoreDriver], str] = {paper.LoadsAtOnce: "broken.eager"}
"""Entry modules other than etcd's."""
