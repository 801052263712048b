/** What steering and the relay both use of the handles that `node:net` is built on. No documented API names them. */

export interface SocketName {
  address?: string;
  port?: number;
  family?: string;
}

/** `Request`: what a connect is given, and calls back on. */
export interface TcpHandleMethods<Request> {
  connect(request: Request, address: string, port: number): number;
  connect6(request: Request, address: string, port: number): number;
  bind(address: string, port: number, flags?: number): number;
  bind6(address: string, port: number, flags?: number): number;
  getsockname(out: SocketName): number;
  getpeername(out: SocketName): number;
  close(callback?: () => void): unknown;
  reset(callback?: () => void): number;
  setNoDelay(on: boolean): number;
  setKeepAlive(on: boolean, delaySeconds: number): number;
}
