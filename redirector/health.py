"""What `/healthz` of the redirector says."""

from redirector.links import Links
from redirector.recorder import Recorder
from tracking.heartbeat import FlusherWatch


def report(links: Links, recorder: Recorder, flusher: FlusherWatch) -> dict[str, object]:
    """Whether the process can do its job, and why not, in words.

    `down` while SQL can't be read, since links that are not in the cache can't be answered. While
    Redis is away, or clicks don't reach SQL, redirects go on and nothing is lost: `degraded`.
    """
    down, lacking = _unable(links), _lacking(recorder, flusher)
    reasons = [*down, *lacking]
    age = flusher.age
    return {
        "status": "down" if down else "degraded" if lacking else "ok",
        "reason": " ".join(reasons) or None,
        "sql": str(links.presence),
        "redis": str(recorder.presence),
        "flusher_seen_seconds_ago": None if age is None else round(age, 1),
        "durability": recorder.durability,
        "spooled_clicks": recorder.spooled_clicks,
        "unconfirmed_clicks": recorder.unconfirmed_clicks,
    }


def _unable(links: Links) -> list[str]:
    sql = links.presence
    if not sql.known:
        return ["The database was not reached yet."]
    if sql.away:
        return [f"The database can't be read ({sql.error}): only links in the cache work."]
    return []


def _lacking(recorder: Recorder, flusher: FlusherWatch) -> list[str]:
    reasons = []
    redis = recorder.presence
    if redis.away and recorder.disk.away:
        reasons.append(
            f"Neither Redis ({redis.error}) nor the disk ({recorder.disk.error}) takes clicks: "
            f"{recorder.unconfirmed_clicks} wait in memory, and a crash would lose them."
        )
    elif redis.away:
        reasons.append(f"Redis is away ({redis.error}): clicks are kept on disk.")
    if flusher.trouble is not None:
        reasons.append(flusher.trouble)
    return reasons
