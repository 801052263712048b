/** A client of a weather service: it falls back to the last good answer where there is no new one. */
const http = require("node:http");

class Weather {
  #url;
  #limitMs;
  #last = new Map();

  constructor(url, { limitMs = 5000 } = {}) {
    this.#url = url;
    this.#limitMs = limitMs;
  }

  /** @returns {Promise<{ degrees: number, stale: boolean }>} */
  async at(place) {
    try {
      const degrees = Number(await this.#get(`/${place}`));
      this.#last.set(place, degrees);
      return { degrees, stale: false };
    } catch (error) {
      if (!this.#last.has(place)) throw new Error(`no weather for ${place}`, { cause: error });
      return { degrees: this.#last.get(place), stale: true };
    }
  }

  #get(path) {
    return new Promise((resolve, reject) => {
      const options = { agent: false, signal: AbortSignal.timeout(this.#limitMs) };
      const request = http.get(this.#url + path, options, (response) => {
        let text = "";
        response.setEncoding("utf8");
        response.on("data", (chunk) => (text += chunk));
        response.on("end", () => resolve(text));
        response.on("error", reject);
      });
      request.on("error", reject);
    });
  }
}

module.exports = { Weather };
