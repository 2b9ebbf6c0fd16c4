"""What `/healthz` of the redirector says."""

from redirector.links.cache import Links
from redirector.recording.durability import in_words
from redirector.recording.recorder import Recorder
from redirector.recording.recovery import Recovery
from tracking.heartbeat import FlusherWatch


def report(
    links: Links, recorder: Recorder, recovery: Recovery, flusher: FlusherWatch
) -> dict[str, object]:
    """Whether the process can do its job, and why not, in words.

    `down` while SQL can't be read, since links that are not in the cache can't be answered. While
    Redis or the disk is away, or clicks don't reach SQL, redirects go on: `degraded`.
    """
    down, lacking = _unable(links), _lacking(recorder, flusher)
    reasons = [*down, *lacking]
    age = flusher.age
    oldest = recorder.oldest_click_seconds
    on_disk, in_redis = recorder.survives
    return {
        "status": "down" if down else "degraded" if lacking else "ok",
        "reason": " ".join(reasons) or None,
        "sql": str(links.presence),
        "redis": str(recorder.redis),
        "disk": str(recorder.disk),
        "flusher_seen_seconds_ago": None if age is None else round(age, 1),
        "durability": in_words(on_disk=on_disk, in_redis=in_redis),
        "journalled_clicks": recorder.journalled_clicks + recovery.waiting_clicks,
        "oldest_click_seconds": None if oldest is None else round(oldest, 1),
        "unjournalled_clicks": recorder.unjournalled_clicks,
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
    redis, disk = recorder.redis, recorder.disk
    if redis.away and disk.away:
        reasons.append(
            f"Neither the disk ({disk.error}) nor Redis ({redis.error}) takes clicks: "
            f"{recorder.unconfirmed_clicks} wait in memory, and a crash would lose them."
        )
    elif redis.away:
        reasons.append(f"Redis is away ({redis.error}): clicks wait in the journal.")
    elif disk.away:
        reasons.append(f"The journal's disk is away ({disk.error}): clicks go to Redis at once.")
    if flusher.trouble is not None:
        reasons.append(flusher.trouble)
    return reasons
