"""Celery with the configuration that the project started from, and the workload of the benchmark.

`celery -A celery_app worker` runs it. `python3 celery_app.py` enqueues and waits: it reads one command from each line of standard input,
`[name, count]`, and answers on standard output with one line of JSON, times in seconds.
"""
import json
import os
import sys
import time

from celery import Celery

REDIS = os.environ["BENCH_REDIS_URL"]

app = Celery("bench", broker=f"{REDIS}/1", backend=f"{REDIS}/2")
app.conf.update(
    task_serializer="json",
    accept_content=["json"],
    result_serializer="json",
    timezone="UTC",
    enable_utc=True,
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    task_track_started=True,
    task_default_retry_delay=60,
    task_max_retries=3,
    task_time_limit=600,
    task_soft_time_limit=540,
    worker_prefetch_multiplier=1,
    worker_concurrency=4,
    result_expires=86400,
)


@app.task(name="noop")
def noop(n):
    return {"ok": True}


def enqueue(count, queued):
    started_at = time.perf_counter()
    for n in range(count):
        queued.append(noop.delay(n))
    return time.perf_counter() - started_at


def drain(_count, queued):
    """From the first result to the last: the start of the worker does not count."""
    queued[0].get(timeout=60)
    started_at = time.perf_counter()
    for result in queued:
        result.get(timeout=600)
    elapsed = time.perf_counter() - started_at
    queued.clear()
    return elapsed


def ask(count, _queued):
    latencies = []
    for n in range(count):
        started_at = time.perf_counter()
        noop.delay(n).get(timeout=60)
        latencies.append(time.perf_counter() - started_at)
    return latencies


def main():
    queued = []
    commands = {"enqueue": enqueue, "drain": drain, "ask": ask}
    for line in sys.stdin:
        name, count = json.loads(line)
        print(json.dumps(commands[name](count, queued)), flush=True)


if __name__ == "__main__":
    main()
