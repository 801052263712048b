/** A client of a stock service: it keeps connections, and asks once more, on a new one, where a connection gives no answer. */
import http from "node:http";

export class Inventory {
  #agent;
  #url;
  #attempts;
  #limitMs;

  constructor(url, { attempts = 2, limitMs = 1000, keepAlive = true } = {}) {
    this.#agent = new http.Agent({ keepAlive });
    this.#url = url;
    this.#attempts = attempts;
    this.#limitMs = limitMs;
  }

  async count(item) {
    for (let attempt = 1; ; attempt++) {
      try {
        return Number(await this.#get(`/stock/${item}`));
      } catch (error) {
        if (attempt >= this.#attempts) throw error;
      }
    }
  }

  close() {
    this.#agent.destroy();
  }

  #get(path) {
    return new Promise((resolve, reject) => {
      const request = http.get(this.#url + path, { agent: this.#agent, timeout: this.#limitMs }, (response) => {
        let text = "";
        response.setEncoding("utf8");
        response.on("data", (chunk) => (text += chunk));
        response.on("end", () => resolve(text));
        response.on("error", reject);
      });
      request.on("timeout", () => request.destroy(Object.assign(new Error(`no answer in ${this.#limitMs} ms`), { code: "ETIME" })));
      request.on("error", reject);
    });
  }
}
