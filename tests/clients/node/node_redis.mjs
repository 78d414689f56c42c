// node-redis: commands, a transaction, pub/sub, a blocking pop, a stream, a script. Arguments: host, port.
import assert from "node:assert/strict";
import { createClient } from "redis";

const [host, port] = process.argv.slice(2);
const client = createClient({ socket: { host, port: Number(port) } });
await client.connect();
const other = client.duplicate();
await other.connect();

assert.equal(await client.set("a", "1", { EX: 100 }), "OK");
assert.equal(await client.incr("a"), 2);
const found = await client.hSet("h", { f: "1", g: "2" });
assert.equal(found, 2);
assert.deepEqual({ ...(await client.hGetAll("h")) }, { f: "1", g: "2" });
assert.deepEqual(await client.multi().set("b", "x").get("b").incr("a").exec(), ["OK", "x", 3]);

await client.zAdd("z", [{ score: 1, value: "one" }, { score: 2, value: "two" }]);
assert.deepEqual(await client.zRange("z", 0, -1), ["one", "two"]);

const popped = client.blPop("l", 30);
await other.rPush("l", "x");
assert.equal((await popped).element, "x");

const heard = new Promise((resolve) => other.subscribe("news", resolve).then(() => client.publish("news", "hello")));
assert.equal(await heard, "hello");

const id = await client.xAdd("s", "*", { n: "1" });
assert.equal((await client.xRange("s", "-", "+"))[0].id, id);
assert.equal(await client.eval("return redis.call('GET', KEYS[1])", { keys: ["b"], arguments: [] }), "x");

const keys = [];
for await (const batch of client.scanIterator({ COUNT: 2 })) keys.push(...[batch].flat());
assert.deepEqual(keys.sort(), ["a", "b", "h", "s", "z"]);

other.destroy();
client.destroy();
