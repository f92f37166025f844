"""The invariants: what must hold in every database, also after any crash; for each, the query that finds violations.

Every query reads one snapshot and returns the ids of violating rows, so it may run while the server works.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Invariant:
    """One invariant. `sql` returns the ids of violations; $1 and $2, if used, are negative grace periods in seconds.

    `is_backlog`: a violation is late, not wrong: it ends by itself once what it waits for works again.
    """

    name: str
    statement: str
    sql: str
    is_backlog: bool = False


# A line of a guest counts as one of the account that it was merged into: the ledger is append-only.
_IS_OTHERS = "{line} <> {owner} AND NOT EXISTS (SELECT 1 FROM users WHERE id = {line} AND merged_into_id = {owner})"


def _is_others(line: str, owner: str) -> str:
    """Return the condition that an account `line` neither is the account `owner` nor was merged into it."""
    return f"({_IS_OTHERS.format(line=line, owner=owner)})"


INVARIANTS = (
    Invariant(
        "M1",
        "a balance is the sum of its ledger",
        """
        SELECT id FROM users
        WHERE credits <> (SELECT COALESCE(SUM(amount), 0) FROM credit_transactions WHERE user_id = users.id)
        """,
    ),
    Invariant(
        "M2",
        "no account spends more than it has",
        """
        SELECT id FROM users WHERE credits < 0 AND NOT overdraft_allowed
        UNION ALL SELECT id FROM credit_transactions WHERE type = 'DEDUCTION' AND balance < 0
        """,
    ),
    Invariant(
        "M3",
        "a generation is charged once, at its price, to its owner",
        f"""
        SELECT id FROM (
            SELECT g.id, g.user_id, g.cost, CASE WHEN g.paid_by = 'CREDITS' THEN g.cost ELSE 0 END AS price,
                COUNT(t.id) AS lines, COALESCE(SUM(t.amount), 0) AS total, MIN(t.user_id) AS charged
            FROM generations g LEFT JOIN credit_transactions t ON t.generation_id = g.id AND t.type = 'DEDUCTION'
            GROUP BY g.id, g.user_id, g.paid_by, g.cost
        ) AS paid
        WHERE lines <> CASE WHEN price > 0 THEN 1 ELSE 0 END OR total <> -price
            OR {_is_others("charged", "user_id")} OR cost <> price
        """,  # noqa: S608 - constants
    ),
    Invariant(
        "M4",
        "a refund is given once, of all that is left, exactly when the policy or an admin says so",
        # Only a refund by an admin, beyond the policy, has metadata: the reason. And each has its audit entry.
        f"""
        SELECT id FROM (
            SELECT g.id, g.user_id, g.cost - g.size_refund AS paid, g.status, g.refund_policy, g.refunded,
                CASE WHEN g.provider_called_at IS NULL THEN 0 ELSE 1 END AS called,
                COUNT(t.id) AS lines, COUNT(t.metadata) AS given, COALESCE(SUM(t.amount), 0) AS total,
                MIN(t.user_id) AS payee,
                (SELECT COUNT(*) FROM audit_entries WHERE target = g.id AND action = 'REFUND_GENERATION') AS acts
            FROM generations g LEFT JOIN credit_transactions t
                ON t.generation_id = g.id AND t.type = 'REFUND' AND t.reference <> 'refund-size:' || g.id
            WHERE g.paid_by = 'CREDITS' AND g.cost > 0
            GROUP BY g.id, g.user_id, g.cost, g.size_refund, g.status, g.refund_policy, g.refunded,
                g.provider_called_at
        ) AS refund
        WHERE lines <> CASE WHEN refunded THEN 1 ELSE 0 END OR given <> acts
        OR lines > 0 AND (status NOT IN ('COMPLETED', 'FAILED', 'CANCELED') OR total <> paid
            OR {_is_others("payee", "user_id")})
        OR lines = given AND status = 'FAILED'
            AND (refund_policy = 'ON_FAILURE' OR refund_policy = 'BEFORE_PROVIDER' AND called = 0)
        OR lines = given AND status = 'CANCELED' AND refund_policy <> 'NEVER' AND called = 0
        OR lines > given AND (status = 'COMPLETED' OR refund_policy = 'NEVER' OR status = 'CANCELED' AND called = 1)
        """,  # noqa: S608 - constants
    ),
    Invariant(
        "M5",
        "an image of a lower quality than ordered costs what that quality costs",
        f"""
        SELECT g.id FROM generations g LEFT JOIN credit_transactions t ON t.reference = 'refund-size:' || g.id
        WHERE g.size_refund <> COALESCE(t.amount, 0) OR {_is_others("t.user_id", "g.user_id")}
        OR t.generation_id <> g.id
        OR g.size_refund <> CASE WHEN g.status = 'COMPLETED'
            THEN COALESCE(g.cost - CAST(g.lower_costs ->> g.delivered_quality AS BIGINT), 0) ELSE 0 END
        """,  # noqa: S608 - constants
    ),
    Invariant(
        "M6",
        "an account's ledger lines have no gaps, reference their cause, and end at its balance",
        """
        SELECT id FROM (
            SELECT id, sequence, amount, balance,
                LAG(sequence, 1, 0) OVER (PARTITION BY user_id ORDER BY sequence) AS earlier_sequence,
                LAG(balance, 1, 0) OVER (PARTITION BY user_id ORDER BY sequence) AS earlier_balance
            FROM credit_transactions
        ) AS chain
        WHERE sequence <> earlier_sequence + 1 OR balance <> earlier_balance + amount
        UNION ALL
        SELECT u.id FROM users u LEFT JOIN credit_transactions t
            ON t.user_id = u.id AND t.sequence = u.ledger_sequence
        WHERE u.credits <> COALESCE(t.balance, 0)
        OR u.ledger_sequence <> (SELECT COUNT(*) FROM credit_transactions WHERE user_id = u.id)
        UNION ALL
        SELECT id FROM credit_transactions
        WHERE type = 'DEDUCTION' AND (generation_id IS NULL OR reference <> 'deduct:' || generation_id)
        OR type = 'REFUND' AND (generation_id IS NULL
            OR reference NOT IN ('refund:' || generation_id, 'refund-size:' || generation_id))
        """,
    ),
    Invariant(
        "M7",
        "an order grants its credits once, to its buyer, and what is reversed is in the ledger",
        # What was reversed of a guest's orders before it was merged is in the guest's ledger, and the orders are not.
        f"""
        SELECT p.id FROM purchases p LEFT JOIN credit_transactions t ON t.reference = 'polar:order:' || p.order_id
        WHERE COALESCE(t.amount, 0) <> p.credits OR {_is_others("t.user_id", "p.user_id")}
        OR p.credits > 0 AND (p.status = 'PARKED' OR NOT p.is_paid)
        UNION ALL
        SELECT u.id FROM users u
            LEFT JOIN (SELECT user_id, SUM(reversed_credits) AS credits FROM purchases GROUP BY user_id) AS p
                ON p.user_id = u.id
            LEFT JOIN (SELECT COALESCE(merged_into_id, users.id) AS owner_id, SUM(amount) AS amount
                FROM credit_transactions JOIN users ON users.id = user_id WHERE type = 'REVERSAL'
                GROUP BY COALESCE(merged_into_id, users.id)) AS t ON t.owner_id = u.id
        WHERE COALESCE(p.credits, 0) + COALESCE(t.amount, 0) <> 0
        """,  # noqa: S608 - constants
    ),
    Invariant(
        "M8",
        "admin adjustments and granted passes match the audit log",
        """
        SELECT t.id FROM credit_transactions t LEFT JOIN audit_entries a ON a.id = SUBSTR(t.reference, 7)
        WHERE t.type = 'ADMIN' AND (a.id IS NULL OR t.reference <> 'admin:' || a.id OR a.action <> 'ADJUST_CREDITS'
            OR a.target <> t.user_id OR CAST(a.detail ->> 'amount' AS BIGINT) <> t.amount)
        UNION ALL
        SELECT p.id FROM passes p LEFT JOIN audit_entries a ON a.id = SUBSTR(p.reference, 7)
        WHERE p.reference LIKE 'admin:%' AND (a.id IS NULL OR a.action <> 'GRANT_PASS' OR a.target <> p.user_id)
        UNION ALL
        SELECT a.id FROM audit_entries a
            LEFT JOIN credit_transactions t ON t.reference = 'admin:' || a.id
            LEFT JOIN passes p ON p.reference = 'admin:' || a.id
        WHERE a.action = 'ADJUST_CREDITS' AND t.id IS NULL OR a.action = 'GRANT_PASS' AND p.id IS NULL
        """,
    ),
    Invariant(
        "M9",
        "what is left of an account's grants is part of its balance, and of each grant at most what it gave",
        """
        SELECT u.id FROM users u LEFT JOIN (
            SELECT user_id, COUNT(*) AS grants, SUM(remaining) AS remaining FROM credit_grants GROUP BY user_id
        ) AS g ON g.user_id = u.id
        WHERE (g.grants IS NOT NULL) <> u.has_grants OR g.remaining > 0 AND g.remaining > u.credits
        UNION ALL
        SELECT g.id FROM credit_grants g LEFT JOIN credit_transactions t ON t.id = g.id
        WHERE t.id IS NULL OR g.type <> t.type OR g.remaining < 0 OR g.amount > t.amount OR g.remaining > g.amount
        UNION ALL
        SELECT t.id FROM credit_transactions t JOIN credit_grants g ON t.reference = 'expire:' || g.id
        WHERE t.type <> 'EXPIRY' OR -t.amount > g.amount OR g.remaining > 0
        """,
    ),
    Invariant(
        "M10",
        "credits that have expired are gone in time",
        "SELECT id FROM credit_grants WHERE remaining > 0 AND expires_at < LATER($1)",
        is_backlog=True,
    ),
    Invariant(
        "G1",
        "a final generation has consistent end fields, and exactly the processing ones have a lease",
        """
        SELECT id FROM generations
        WHERE (status IN ('COMPLETED', 'FAILED', 'CANCELED')) <> (completed_at IS NOT NULL)
        OR (status = 'PROCESSING') <> (lease_until IS NOT NULL)
        OR status IN ('COMPLETED', 'FAILED', 'CANCELED') AND stage <> status
        """,
    ),
    Invariant(
        "G2",
        "every generation ends in time",
        """
        SELECT id FROM generations WHERE status IN ('PENDING', 'PROCESSING')
        AND (media = 'IMAGE' AND created_at < LATER($1) OR media = 'VIDEO' AND created_at < LATER($2))
        """,
        is_backlog=True,
    ),
    Invariant(
        "G5",
        "attempts and provider calls of a generation are bounded and recorded",
        # Three claims, or ten with a job, and three calls of each of at most five models, as in services.generations
        # and FALLBACK_MODELS: repeated here, so that a mistake there is found. Calls without a time: none has left.
        """
        SELECT id FROM generations
        WHERE attempts > CASE WHEN provider_job_id IS NULL THEN 3 ELSE 10 END
        OR provider_job_id IS NOT NULL AND provider_calls = 0
        OR provider_calls > 15 OR provider_calls = 0 AND provider_called_at IS NOT NULL
        OR provider_calls > 0 AND provider_called_at IS NULL AND status IN ('PENDING', 'COMPLETED')
        OR provider_calls > 0 AND attempts = 0 OR status = 'COMPLETED' AND provider_calls = 0 AND reused_id IS NULL
        OR reused_id IS NOT NULL AND (status <> 'COMPLETED' OR attempts > 0 OR provider_calls > 0)
        """,
    ),
    Invariant(
        "G7",
        "a completed generation has its result, a failed one its error code, and each its usable original",
        """
        SELECT g.id FROM generations g
            LEFT JOIN files r ON r.id = g.result_id LEFT JOIN files o ON o.id = g.original_id
        WHERE g.status = 'COMPLETED' AND g.error_code IS NOT NULL
        OR g.status = 'COMPLETED' AND g.deleted_at IS NULL
            AND (r.id IS NULL OR r.state <> 'LIVE' OR r.kind <> 'RESULT' OR r.owner_id <> g.user_id)
        OR g.status <> 'COMPLETED' AND g.result_id IS NOT NULL
        OR g.status = 'FAILED' AND g.error_code IS NULL
        OR g.original_id IS NOT NULL AND (o.state <> 'LIVE' OR o.owner_id <> g.user_id
            OR o.kind <> 'ORIGINAL' AND g.parent_id IS NULL)
        OR g.original_removed_at IS NOT NULL AND (g.original_id IS NOT NULL OR g.provider_called_at IS NOT NULL
            OR g.status NOT IN ('FAILED', 'CANCELED'))
        """,
    ),
    Invariant(
        "G8",
        "a deleted generation is final, and keeps no texts, pictures, favorite mark or share",
        """
        SELECT id FROM generations WHERE deleted_at IS NOT NULL
        AND (status NOT IN ('COMPLETED', 'FAILED', 'CANCELED') OR original_id IS NOT NULL OR result_id IS NOT NULL
            OR prompt IS NOT NULL OR enhanced_prompt IS NOT NULL OR full_prompt <> '' OR search_text <> ''
            OR preview IS NOT NULL
            OR CAST(variables AS TEXT) <> '{}' OR CAST(style_title AS TEXT) <> '{}'
            OR CAST(earlier_prompts AS TEXT) <> '[]'
            OR is_favorite OR share_slug IS NOT NULL OR shared_at IS NOT NULL)
        """,
    ),
    Invariant(
        "U1",
        "a deleted account has no name, no way to sign in and, soon, no generations",
        """
        SELECT id FROM users WHERE deleted_at IS NOT NULL
        AND (email <> id || '@deleted.invalid' OR password_hash <> '' OR name IS NOT NULL OR role <> 'USER'
            OR EXISTS (SELECT 1 FROM sessions WHERE user_id = users.id)
            OR EXISTS (SELECT 1 FROM api_keys WHERE user_id = users.id)
            OR EXISTS (SELECT 1 FROM mail_tokens WHERE user_id = users.id)
            OR EXISTS (SELECT 1 FROM webhook_endpoints WHERE user_id = users.id)
            OR EXISTS (SELECT 1 FROM albums WHERE user_id = users.id)
            OR EXISTS (SELECT 1 FROM tags WHERE user_id = users.id)
            OR users.deleted_at < LATER($1) AND EXISTS
                (SELECT 1 FROM generations WHERE user_id = users.id AND generations.deleted_at IS NULL))
        """,
    ),
    Invariant(
        "U2",
        "a merged guest is deleted, has nothing left, and what it had left in credits is the account's",
        """
        SELECT g.id FROM users g WHERE g.merged_into_id IS NOT NULL
        AND (g.deleted_at IS NULL OR g.merged_into_id = g.id
            OR EXISTS (SELECT 1 FROM generations WHERE user_id = g.id AND deleted_at IS NULL)
            OR EXISTS (SELECT 1 FROM files WHERE owner_id = g.id AND state = 'LIVE')
            OR EXISTS (SELECT 1 FROM purchases WHERE user_id = g.id)
            OR NOT EXISTS (SELECT 1 FROM users u WHERE u.id = g.merged_into_id AND u.merged_into_id IS NULL))
        UNION ALL
        SELECT t.id FROM credit_transactions t
            LEFT JOIN users g ON g.id = SUBSTR(t.reference, 7, 30)
            LEFT JOIN credit_transactions o ON o.reference = 'merge:' || g.id || CASE WHEN t.amount < 0 THEN ':to'
                ELSE ':from' END
        WHERE t.type = 'TRANSFER' AND (g.merged_into_id IS NULL OR o.id IS NULL OR o.amount <> -t.amount
            OR t.user_id <> CASE WHEN t.amount < 0 THEN g.id ELSE g.merged_into_id END)
        """,
    ),
    *(
        Invariant(
            name,
            f"{one}s have generations of their own account only, as those are now, and know how many",
            f"""
        SELECT l.id FROM {one}s l WHERE size <> (SELECT COUNT(*) FROM {one}_entries WHERE {one}_id = l.id)
        UNION ALL
        SELECT l.id FROM {one}_entries e JOIN {one}s l ON l.id = e.{one}_id JOIN generations g ON g.id = e.generation_id
        WHERE g.user_id <> l.user_id OR g.deleted_at IS NOT NULL OR g.is_favorite <> e.is_favorite
        """,  # noqa: S608 - constants
        )
        for name, one in (("L1", "album"), ("L2", "tag"))
    ),
    Invariant(
        "A1",
        "the used allowance of a pass equals the generations it paid for, and stays within its limits",
        f"""
        SELECT h.holder_id AS id FROM pass_hours h
            JOIN passes p ON p.id = h.holder_id
            LEFT JOIN (
                SELECT pass_id, pass_hour, SUM(CASE WHEN media = 'IMAGE' THEN 1 ELSE 0 END) AS images,
                    SUM(CASE WHEN media = 'VIDEO' THEN 1 ELSE 0 END) AS videos
                FROM generations WHERE paid_by = 'PASS' AND NOT refunded GROUP BY pass_id, pass_hour
            ) AS g ON g.pass_id = h.holder_id AND g.pass_hour = h.hour
        WHERE h.images <> COALESCE(g.images, 0) OR h.videos <> COALESCE(g.videos, 0)
        OR h.images > p.images_per_hour OR h.videos > p.videos_per_hour
        UNION ALL
        SELECT p.id FROM passes p LEFT JOIN (
            SELECT holder_id, SUM(images) AS images, SUM(videos) AS videos FROM pass_hours GROUP BY holder_id
        ) AS h ON h.holder_id = p.id
        WHERE p.images_used <> COALESCE(h.images, 0) OR p.videos_used <> COALESCE(h.videos, 0)
        UNION ALL
        SELECT g.id FROM generations g
            LEFT JOIN passes p ON p.id = g.pass_id
            LEFT JOIN pass_hours h ON h.holder_id = g.pass_id AND h.hour = g.pass_hour
        WHERE g.paid_by = 'PASS' AND (p.id IS NULL OR {_is_others("p.user_id", "g.user_id")} OR h.id IS NULL)
        """,  # noqa: S608 - constants
    ),
    Invariant(
        "A2",
        "an allowance is returned once, exactly when the policy or an admin says so",
        # A recorded call may not have reached the provider: a refund by the policy in that case is not checked here.
        """
        SELECT id FROM (
            SELECT g.id, g.status, g.refund_policy, g.refunded,
                CASE WHEN g.provider_called_at IS NULL THEN 0 ELSE 1 END AS called,
                (SELECT COUNT(*) FROM audit_entries WHERE target = g.id AND action = 'REFUND_GENERATION') AS acts
            FROM generations g WHERE g.paid_by = 'PASS'
        ) AS paid
        WHERE acts > 0 AND NOT refunded OR acts > 1
        OR refunded AND status NOT IN ('COMPLETED', 'FAILED', 'CANCELED')
        OR refunded = (acts > 0) AND (status = 'FAILED'
                AND (refund_policy = 'ON_FAILURE' OR refund_policy = 'BEFORE_PROVIDER' AND called = 0)
            OR status = 'CANCELED' AND refund_policy <> 'NEVER' AND called = 0)
        OR refunded AND acts = 0 AND (status = 'COMPLETED' OR refund_policy = 'NEVER'
            OR status = 'CANCELED' AND called = 1)
        """,
    ),
    Invariant(
        "A3",
        "the passes of an account do not overlap",
        """
        SELECT id FROM (
            SELECT id, started_at,
                LAG(expires_at) OVER (PARTITION BY user_id ORDER BY started_at, expires_at) AS earlier_ends_at
            FROM passes WHERE revoked_at IS NULL
        ) AS chain
        WHERE started_at < earlier_ends_at
        """,
    ),
    Invariant(
        "E1",
        "an account has the plan of its running membership, until its end, and a deleted one has none",
        # The days of grace are the profile's, which may have changed since: they are not checked here.
        """
        SELECT id FROM users WHERE (plan_id IS NULL) <> (member_until IS NULL)
        OR deleted_at IS NOT NULL AND plan_id IS NOT NULL
        OR plan_id IS NOT NULL AND NOT EXISTS (
            SELECT 1 FROM memberships m WHERE m.user_id = users.id AND m.plan_id = users.plan_id
            AND m.status <> 'ENDED' AND (m.ends_at IS NULL OR m.ends_at >= users.member_until))
        UNION ALL
        SELECT u.id FROM memberships m JOIN users u ON u.id = m.user_id
        WHERE u.deleted_at IS NULL AND m.status = 'ACTIVE' AND COALESCE(m.ends_at, m.renews_at) > NOW()
        AND (u.member_until IS NULL OR u.member_until < LATER($1))
        """,
    ),
    Invariant(
        "B1",
        "every stored object has a row, and every LIVE file is used",
        """
        SELECT id FROM files WHERE state = 'LIVE'
        AND NOT EXISTS (SELECT 1 FROM generations WHERE original_id = files.id)
        AND NOT EXISTS (SELECT 1 FROM generations WHERE result_id = files.id)
        UNION ALL
        SELECT p.id FROM style_pictures p LEFT JOIN styles s ON s.picture_id = p.id
        WHERE (p.state = 'LIVE') <> (s.id IS NOT NULL) OR s.owner_id <> p.owner_id
        OR COALESCE(s.picture_folder_id, '') <> COALESCE(p.folder_id, '') AND s.id IS NOT NULL
        """,
    ),
    Invariant(
        "B3",
        "unused files, uploads and data exports are removed in time",
        """
        SELECT id FROM files WHERE state <> 'LIVE' AND updated_at < LATER($1)
        UNION ALL SELECT id FROM style_pictures WHERE state <> 'LIVE' AND updated_at < LATER($1)
        UNION ALL SELECT id FROM uploads WHERE created_at < LATER($2)
        UNION ALL SELECT id FROM data_exports WHERE state <> 'PENDING' AND expires_at < LATER($1)
        """,
        is_backlog=True,
    ),
    Invariant(
        "W1",
        "every event becomes deliveries, and every delivery of a webhook ends in time",
        """
        SELECT CAST(id AS VARCHAR(30)) AS id FROM webhook_events WHERE created_at < LATER($1)
        UNION ALL SELECT id FROM webhook_deliveries WHERE state = 'WAITING' AND give_up_at < LATER($1)
        """,
        is_backlog=True,
    ),
)
