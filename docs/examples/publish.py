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
    login = {} if user is None else {"user": user, "password": os.environ["NATS_PASSWORD"]}
    connection = await nats.connect(os.environ.get("NATS_URL", "nats://127.0.0.1:4222"), **login)

    async def ask(subject: str, body: dict, seconds: float, headers: dict | None = None) -> dict:
        """Asks a service; an answer that says what is wrong becomes an error."""
        reply = await connection.request(
            subject, json.dumps(body).encode(), timeout=seconds, headers=headers
        )
        if reply.headers and "Nats-Service-Error-Code" in reply.headers:
            raise RuntimeError(reply.headers["Nats-Service-Error"])
        return json.loads(reply.data)

    async def enqueue(task_id: str, payload: dict, headers: dict | None = None) -> dict:
        """Returns once the task is stored: id, state, duplicate. A repetition with the same id is stored once."""
        subject = f"stratum.enqueue.{TENANT}.sync.normal.sync_campaign_data.{task_id}"
        return await ask(subject, payload, 10, headers)

    async def result(task_id: str, seconds: int = 30) -> dict:
        """The record of a task: once it has ended, or as it is after so many seconds."""
        return await ask(f"stratum.await.{TENANT}.{task_id}", {"wait": seconds}, seconds + 5)

    payload = {"tenant_id": TENANT, "platform": "meta"}
    order = str(uuid.uuid4())
    first = await enqueue(order, payload)
    again = await enqueue(order, payload)
    print(json.dumps({"what": "enqueued", "id": first["id"], "again": again["duplicate"]}))
    record = await result(first["id"])
    print(json.dumps({"what": "ended", "state": record["state"], "result": record["result"]}))

    # Not before a time in milliseconds since 1970.
    in_an_hour = str(int((time.time() + 3600) * 1000))
    later = await enqueue(str(uuid.uuid4()), payload, {"Task-Not-Before": in_an_hour})
    print(json.dumps({"what": "delayed", "state": later["state"]}))
    await connection.drain()


asyncio.run(main())
