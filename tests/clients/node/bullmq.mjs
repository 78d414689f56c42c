// BullMQ: jobs with priorities, retries, delays and a parent, all done by one worker. Arguments: host, port.
import assert from "node:assert/strict";
import { FlowProducer, Queue, QueueEvents, Worker } from "bullmq";

const [host, port] = process.argv.slice(2);
const connection = { host, port: Number(port), maxRetriesPerRequest: null };
const queue = new Queue("jobs", { connection });
const events = new QueueEvents("jobs", { connection });
await events.waitUntilReady();

const jobs = [];
for (let number = 0; number < 10; number++) jobs.push(await queue.add("square", { number }));
jobs.push(await queue.add("square", { number: 10 }, { priority: 1 }));
jobs.push(await queue.add("square", { number: 11 }, { delay: 20 }));
const flaky = await queue.add("flaky", {}, { attempts: 3 });
const failing = await queue.add("failing", {});
assert.equal((await queue.getJobCounts()).delayed, 1);

const worker = new Worker(
  "jobs",
  async (job) => {
    if (job.name === "failing") throw new Error("on purpose");
    if (job.name === "flaky" && job.attemptsMade < 2) throw new Error("not yet");
    if (job.name === "parent") return Object.values(await job.getChildrenValues()).sort();
    return job.name === "flaky" ? "done" : job.data.number ** 2;
  },
  { connection, concurrency: 3 },
);

const results = await Promise.all(jobs.map((job) => job.waitUntilFinished(events, 30000)));
assert.deepEqual(results, jobs.map((_, number) => number ** 2));
assert.equal(await flaky.waitUntilFinished(events, 30000), "done");
await assert.rejects(failing.waitUntilFinished(events, 30000), /on purpose/);

const flow = new FlowProducer({ connection });
const children = [2, 3].map((number) => ({ name: "square", queueName: "jobs", data: { number } }));
const { job: parent } = await flow.add({ name: "parent", queueName: "jobs", children });
assert.deepEqual(await parent.waitUntilFinished(events, 30000), [4, 9]);

const counts = await queue.getJobCounts();
assert.equal(counts.failed, 1);
assert.equal(counts.completed, 16);
assert.equal(counts.waiting + counts.active + counts.delayed, 0);
await flow.close();
await worker.close();
await events.close();
await queue.close();
