// ioredis as a client of a cluster: slots, pipelines, a transaction, a script, sharded and plain pub/sub.
// Arguments: host, port.
import assert from "node:assert/strict";
import { Cluster } from "ioredis";

const [host, port] = process.argv.slice(2);
const client = new Cluster([{ host, port: Number(port) }]);

for (let number = 0; number < 200; number++) await client.set(`key:${number}`, String(number));
assert.equal(await client.get("key:42"), "42");
assert.equal(client.nodes("master").length, 1);

const pipeline = client.pipeline();
for (let number = 0; number < 50; number++) pipeline.incr("{tag}count").get(`{tag}${number}`);
assert.deepEqual((await pipeline.exec()).at(-2), [null, 50]);
assert.deepEqual(await client.mget("{tag}count", "{tag}none"), ["50", null]);
assert.deepEqual(await client.multi().set("{t}b", "x").get("{t}b").exec(), [[null, "OK"], [null, "x"]]);

client.defineCommand("move", { numberOfKeys: 2, lua: "return redis.call('RENAME', KEYS[1], KEYS[2])" });
assert.equal(await client.move("{t}b", "{t}c"), "OK");
assert.equal(await client.get("{t}c"), "x");

const heard = new Promise((resolve) => client.on("message", (channel, message) => resolve([channel, message])));
await client.subscribe("news");
await client.publish("news", "hello");
assert.deepEqual(await heard, ["news", "hello"]);

client.disconnect();
