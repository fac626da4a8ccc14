-- Rules 1 to 13 in SQL, as DuckDB has it. Parameters: $polls and $stores (globs of files),
-- $now_us, $memory_us. All instants are microseconds UTC.
WITH
store AS (
    SELECT store_id, coalesce(timezone, 'America/Chicago') AS zone, hours
    FROM read_parquet($stores)
),
-- Business time: one row an opening, in local time, on each date that may matter.
opening AS (
    SELECT
        store_id,
        zone,
        make_timestamp(date_us + start_us) AS opens,
        make_timestamp(
            date_us
            + CASE WHEN start_us <> end_us AND end_us >= 86340000000 THEN 86400000000
                   ELSE end_us END
            + CASE WHEN end_us <= start_us THEN 86400000000 ELSE 0 END
        ) AS closes
    FROM
        (SELECT store_id, zone, unnest(hours, recursive := true) FROM store)
        JOIN (
            SELECT n * 86400000000 AS date_us, (n + 3) % 7 AS weekday
            FROM range(
                ($now_us - 604800000000) // 86400000000 - 4, $now_us // 86400000000 + 3
            ) AS days(n)
        ) ON weekday = day
),
-- The distinct ones only are asked of the time zone database.
instant AS (
    SELECT
        zone, opens, closes,
        greatest(epoch_us(timezone(zone, opens)), $now_us - 604800000000) AS start_us,
        least(epoch_us(timezone(zone, closes)), $now_us) AS end_us
    FROM (SELECT DISTINCT zone, opens, closes FROM opening)
),
clipped AS (
    SELECT store_id, start_us, end_us
    FROM opening JOIN instant USING (zone, opens, closes)
    WHERE start_us < end_us
    UNION ALL
    SELECT store_id, $now_us - 604800000000, $now_us FROM store WHERE hours IS NULL
),
island AS (
    SELECT *, sum(begins::INT) OVER (PARTITION BY store_id ORDER BY start_us, end_us) AS number
    FROM (
        SELECT *, coalesce(start_us > max(end_us) OVER (
            PARTITION BY store_id ORDER BY start_us, end_us
            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ), true) AS begins
        FROM clipped
    )
),
open_time AS (
    SELECT store_id, min(start_us) AS start_us, max(end_us) AS end_us
    FROM island GROUP BY store_id, number
),
-- Status: a stretch from each poll that differs from the one before to the next such poll. Of two
-- polls at one instant the inactive one comes last, so that the other one's stretch is empty. Of the
-- polls before the week only each store's last one matters: it stands just before the week.
poll AS (
    SELECT store_id, epoch_us("timestamp") AS at_us, active
    FROM read_parquet($polls)
    WHERE "timestamp" BETWEEN make_timestamptz($now_us - 604800000000) AND make_timestamptz($now_us)
    UNION ALL
    SELECT
        store_id,
        $now_us - 604800000001,
        max(epoch_us("timestamp") * 2 + (NOT active)::BIGINT) % 2 = 0
    FROM read_parquet($polls)
    WHERE "timestamp" >= make_timestamptz($now_us - $memory_us)
        AND "timestamp" < make_timestamptz($now_us - 604800000000)
    GROUP BY store_id
),
change AS (
    SELECT store_id, at_us, active
    FROM poll
    QUALIFY active IS DISTINCT FROM
        lag(active) OVER (PARTITION BY store_id ORDER BY at_us, active DESC)
),
stretch AS (
    SELECT
        store_id,
        active,
        CASE WHEN at_us = min(at_us) OVER by_time AND at_us IS DISTINCT FROM lead(at_us) OVER by_time
             THEN $now_us - 604800000000 ELSE at_us END AS since_us,
        coalesce(lead(at_us) OVER by_time, $now_us) AS until_us
    FROM change
    WINDOW by_time AS (PARTITION BY store_id ORDER BY at_us, active DESC)
),
-- What both have in common.
up AS (
    SELECT
        store_id,
        greatest(start_us, since_us) AS start_us,
        least(end_us, until_us) AS end_us
    FROM stretch JOIN open_time USING (store_id)
    WHERE active AND start_us < until_us AND end_us > since_us
),
uptime AS (
    SELECT
        store_id,
        sum(greatest(end_us - greatest(start_us, $now_us - 3600000000), 0))::BIGINT AS hour,
        sum(greatest(end_us - greatest(start_us, $now_us - 86400000000), 0))::BIGINT AS day,
        sum(end_us - start_us)::BIGINT AS week
    FROM up GROUP BY store_id
),
business AS (
    SELECT
        store_id,
        sum(greatest(end_us - greatest(start_us, $now_us - 3600000000), 0))::BIGINT AS hour,
        sum(greatest(end_us - greatest(start_us, $now_us - 86400000000), 0))::BIGINT AS day,
        sum(end_us - start_us)::BIGINT AS week
    FROM open_time GROUP BY store_id
)
SELECT
    store_id,
    coalesce(uptime.hour, 0) AS uptime_last_hour_us,
    coalesce(uptime.day, 0) AS uptime_last_day_us,
    coalesce(uptime.week, 0) AS uptime_last_week_us,
    coalesce(business.hour, 0) - coalesce(uptime.hour, 0) AS downtime_last_hour_us,
    coalesce(business.day, 0) - coalesce(uptime.day, 0) AS downtime_last_day_us,
    coalesce(business.week, 0) - coalesce(uptime.week, 0) AS downtime_last_week_us
FROM store LEFT JOIN business USING (store_id) LEFT JOIN uptime USING (store_id)
ORDER BY store_id
