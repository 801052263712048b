/** A client of an order service: it gives up on a slow answer, and tries again where there was no connection. */
export interface Order {
  readonly id: string;
}

export interface OrdersOptions {
  readonly attempts?: number;
  readonly limitMs?: number;
}

export class Orders {
  readonly #url: string;
  readonly #attempts: number;
  readonly #limitMs: number;

  constructor(url: string, { attempts = 3, limitMs = 5000 }: OrdersOptions = {}) {
    this.#url = url;
    this.#attempts = attempts;
    this.#limitMs = limitMs;
  }

  async load(id: string): Promise<Order> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#get(`/orders/${id}`);
      } catch (error) {
        if (attempt >= this.#attempts || (error as Error).name === "TimeoutError") throw error;
      }
    }
  }

  async #get(path: string): Promise<Order> {
    const headers = { connection: "close" };
    const response = await fetch(this.#url + path, { headers, signal: AbortSignal.timeout(this.#limitMs) });
    return (await response.json()) as Order;
  }
}
