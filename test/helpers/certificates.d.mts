export interface KeyPair {
  readonly key: string;
  readonly cert: string;
}
export const authority: string;
export const localhost: KeyPair;
export const first: KeyPair;
export const second: KeyPair;
export const client: KeyPair;
export const selfSigned: KeyPair;
