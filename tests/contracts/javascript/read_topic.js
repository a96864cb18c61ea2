// Reads a topic from its beginning through the registry and prints one JSON object a line:
//   node read_topic.js HOST:PORT REGISTRY_URL TOPIC COUNT
import confluent from "@kafkajs/confluent-schema-registry";
import kafkajs from "kafkajs";
import lz4 from "lz4-napi";

const { SchemaRegistry } = confluent;
const { CompressionCodecs, CompressionTypes, Kafka, logLevel } = kafkajs;
const [broker, registryUrl, topic, count] = process.argv.slice(2);

CompressionCodecs[CompressionTypes.LZ4] = () => ({
  compress: (encoder) => lz4.compressFrame(encoder.buffer),
  decompress: (buffer) => lz4.decompressFrame(buffer),
});

// 64-bit numbers stay exact as text, bytes are told in hexadecimal.
const plain = (_key, value) => {
  if (typeof value === "bigint") return value.toString();
  if (value?.type === "Buffer") return Buffer.from(value.data).toString("hex");
  return value;
};

const registry = new SchemaRegistry({ host: registryUrl });
const kafka = new Kafka({ brokers: [broker], logLevel: logLevel.ERROR });
const consumer = kafka.consumer({ groupId: `contracts-${process.pid}` });
let left = Number(count);

await consumer.connect();
await consumer.subscribe({ topic, fromBeginning: true });
const finished = new Promise((resolve, reject) => {
  consumer.on(consumer.events.CRASH, ({ payload }) => reject(payload.error));
  consumer.run({
    eachMessage: async ({ partition, message }) => {
      if (left <= 0) return;
      const event = await registry.decode(message.value);
      const type = message.headers.ce_type.toString();
      const key = message.key.toString("hex");
      console.log(JSON.stringify({ partition, offset: message.offset, key, type, event }, plain));
      left -= 1;
      if (left === 0) resolve();
    },
  });
});

await finished;
await consumer.disconnect();
