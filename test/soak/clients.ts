import type { Client } from "./client.ts";
import { brokerClients } from "./clients/brokers.ts";
import { callClients } from "./clients/calls.ts";
import { databaseClients } from "./clients/databases.ts";
import { rawClients } from "./clients/raw.ts";
import { webClients } from "./clients/web.ts";

export const CLIENTS: readonly Client[] = [...webClients, ...databaseClients, ...brokerClients, ...callClients, ...rawClients];
