import { randomUUID } from "node:crypto";
import mqtt from "mqtt";
import type { MqttClient } from "mqtt";
import { expect } from "vitest";
import { startMosquitto } from "../helpers/servers.ts";
import { describeClient } from "./kit/matrix.ts";
import type { ClientCase } from "./kit/matrix.ts";

/** No two clients have one: each hears itself alone. */
const topicOf = (client: MqttClient): string => `greetings/${client.options.clientId}`;

/** It subscribes to what it publishes, and resends until that is acknowledged. */
function mqttCase(name: string, protocolVersion: 4 | 5): ClientCase<MqttClient> {
  return {
    name,
    start: startMosquitto,
    open: async ({ host, port, quick = false }) => {
      const client = await mqtt.connectAsync({
        host,
        port,
        protocolVersion,
        keepalive: quick ? 1 : 60,
        reconnectPeriod: 50,
        // When it is back, it resends before it subscribes again: the broker has to remember the subscription.
        clean: false,
        clientId: randomUUID(),
        ...(protocolVersion === 5 && { properties: { sessionExpiryInterval: 60 } }),
      });
      client.on("error", () => {});
      await client.subscribeAsync(topicOf(client), { qos: 1 });
      return client;
    },
    use: async (client) => {
      const arrived = new Promise<string>((resolve) => client.once("message", (_topic, payload) => resolve(payload.toString())));
      await client.publishAsync(topicOf(client), "hello", { qos: 1 });
      expect(await arrived).toBe("hello");
    },
    close: (client) => client.endAsync(true),
    multiplexed: true,
    reconnects: true,
    // Silence is noticed one and a half keep-alive intervals after the latest answer.
    limitMs: 4_000,
  };
}

describeClient(mqttCase("mqtt, MQTT 5", 5));
describeClient(mqttCase("mqtt, MQTT 3.1.1", 4));
