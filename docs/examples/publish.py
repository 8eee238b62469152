"""A producer in Python: puts tasks of its tenant in, and asks for their results.

    pip install nats-py
    NATS_URL=nats://127.0.0.1:4222 NATS_USER=shop NATS_PASSWORD=... python publish.py
"""

import asyncio
import json
import os
import time
import uuid

import nats

TENANT = 1


async def main() -> None:
    user = os.environ.get("NATS_USER")
    rights = {}
    if user is not None:
        # Replies come to the user's own inbox, the only subject that it may subscribe to.
        inbox = f"_INBOX.{user}".encode()
        rights = {"user": user, "password": os.environ["NATS_PASSWORD"], "inbox_prefix": inbox}
    connection = await nats.connect(os.environ.get("NATS_URL", "nats://127.0.0.1:4222"), **rights)
    broker = connection.jetstream()

    async def enqueue(task_id: str, payload: dict, headers: dict | None = None):
        """Returns once the broker has the task; a repetition with the same message id is stored once."""
        subject = f"stratum.tasks.sync.normal.{TENANT}.sync_campaign_data.{task_id}"
        return await broker.publish(
            subject, json.dumps(payload).encode(), headers={"Nats-Msg-Id": task_id, **(headers or {})}
        )

    async def result(task_id: str, seconds: int = 30) -> dict:
        """The record of a task: once it has ended, or as it is after so many seconds."""
        question = json.dumps({"wait": seconds}).encode()
        subject = f"stratum.await.{TENANT}.{task_id}"
        reply = await connection.request(subject, question, timeout=seconds + 5)
        answer = json.loads(reply.data)
        if reply.headers and "Nats-Service-Error-Code" in reply.headers:
            raise RuntimeError(answer["error"])
        return answer

    payload = {"tenant_id": TENANT, "platform": "meta"}
    task_id = str(uuid.uuid4())
    await enqueue(task_id, payload)
    again = await enqueue(task_id, payload)
    print(json.dumps({"what": "enqueued", "id": task_id, "again": bool(again.duplicate)}))
    record = await result(task_id)
    print(json.dumps({"what": "ended", "state": record["state"], "result": record["result"]}))

    # Unique while it is queued or running, and not before a time in milliseconds since 1970.
    later = str(uuid.uuid4())
    in_an_hour = str(int((time.time() + 3600) * 1000))
    await enqueue(
        later,
        payload,
        {"Task-Not-Before": in_an_hour, "Nats-Expected-Last-Subject-Sequence": "0"},
    )
    print(json.dumps({"what": "delayed", "state": (await result(later, 0))["state"]}))
    await connection.drain()


asyncio.run(main())
