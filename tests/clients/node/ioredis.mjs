// ioredis: pipelines, a transaction, pub/sub, a blocking pop, a script of its own. Arguments: host, port.
import assert from "node:assert/strict";
import { Redis } from "ioredis";

const [host, port] = process.argv.slice(2);
const client = new Redis({ host, port: Number(port) });
const other = client.duplicate();

assert.equal(await client.set("a", "1", "EX", 100), "OK");
const pipeline = client.pipeline();
for (let number = 0; number < 100; number++) pipeline.incr("a");
const replies = await pipeline.exec();
assert.deepEqual(replies.map(([error, value]) => [error, value]).at(-1), [null, 101]);
assert.deepEqual(await client.multi().set("b", "x").get("b").exec(), [[null, "OK"], [null, "x"]]);

client.defineCommand("double", { numberOfKeys: 1, lua: "return redis.call('INCRBY', KEYS[1], redis.call('GET', KEYS[1]))" });
assert.equal(await client.double("a"), 202);

const popped = client.blpop("l", 30);
await other.rpush("l", "x");
assert.deepEqual(await popped, ["l", "x"]);

await client.hset("h", { f: "1" });
assert.deepEqual(await client.hgetall("h"), { f: "1" });
await client.sadd("s", "x", "y");
assert.equal(await client.scard("s"), 2);

const heard = new Promise((resolve) => other.on("message", (channel, message) => resolve([channel, message])));
await other.subscribe("news");
await client.publish("news", "hello");
assert.deepEqual(await heard, ["news", "hello"]);

other.disconnect();
client.disconnect();
