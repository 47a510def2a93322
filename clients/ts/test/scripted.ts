import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** What a request asked. */
export interface Asked {
  method: string;
  path: string;
  headers: IncomingMessage["headers"];
  body: Buffer;
}

/** A server that answers by a script: it lies, loses answers and breaks connections as no honest node does. */
export class Scripted {
  readonly asked: Asked[] = [];
  #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  /** A server on a free port of this machine; requests are answered one by one as the script says. */
  static async begin(script: (asked: Asked, answer: ServerResponse) => void): Promise<Scripted> {
    const scripted = new Scripted(
      createServer((request, answer) => {
        const parts: Buffer[] = [];
        request.on("data", (part: Buffer) => parts.push(part));
        request.on("end", () => {
          const { method = "", url = "", headers } = request;
          const asked = { method, path: url, headers, body: Buffer.concat(parts) };
          scripted.asked.push(asked);
          script(asked, answer);
        });
      }),
    );
    await new Promise<void>((done) => scripted.#server.listen(0, "127.0.0.1", done));
    return scripted;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async end(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((done) => this.#server.close(done));
  }
}

/** A JSON answer. */
export function answers(answer: ServerResponse, status: number, document: unknown, headers: Record<string, string> = {}): void {
  answer.writeHead(status, { "content-type": "application/json", ...headers });
  answer.end(JSON.stringify(document));
}
