/**
 * The live events of the server (WS /api/v1/events): numbered, so that after a lost connection the page catches up with
 * what it missed. Where that cannot be done (the server started anew, or keeps no events that old) everyone is told to
 * fetch again.
 */
export interface LiveEvent {
  seq: number;
  at: string;
  type: string;
  [field: string]: unknown;
}

type Listener = (event: LiveEvent) => void;

export const STALE_AFTER_MS = 3000;
const FIRST_PAUSE_MS = 300;
const LONGEST_PAUSE_MS = 8000;
/** To be fetched again: the connection is new and events are missing. */
export const REFRESH = "refresh";

export class Live {
  private socket: WebSocket | null = null;
  private seq: number | null = null;
  private pause = FIRST_PAUSE_MS;
  private stopped = false;
  private retry: ReturnType<typeof setTimeout> | undefined;
  private staleTimer: ReturnType<typeof setTimeout> | undefined;
  private listeners = new Set<Listener>();
  private staleListeners = new Set<() => void>();
  private staleSince: number | null = null;

  constructor(private readonly address: string) {}

  /** Since when nothing has been heard of the server, null while all is well. */
  get stale(): number | null {
    return this.staleSince;
  }

  start(): void {
    this.stopped = false;
    this.open();
  }

  stop(): void {
    this.stopped = true;
    clearTimeout(this.retry);
    clearTimeout(this.staleTimer);
    this.socket?.close();
    this.socket = null;
  }

  listen(listener: Listener): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  listenStale(listener: () => void): () => void {
    this.staleListeners.add(listener);
    return () => this.staleListeners.delete(listener);
  }

  private open(): void {
    const since = this.seq === null ? "" : `?since=${this.seq}`;
    const socket = new WebSocket(this.address + since);
    this.socket = socket;
    socket.onmessage = (message) => this.take(JSON.parse(String(message.data)) as LiveEvent);
    socket.onclose = () => {
      if (this.socket !== socket || this.stopped) return;
      this.socket = null;
      this.lost();
    };
  }

  private take(event: LiveEvent): void {
    if (event.type === "hello") {
      this.pause = FIRST_PAUSE_MS;
      clearTimeout(this.staleTimer);
      this.staleTimer = undefined;
      // Numbers that ran backwards are those of another run of the server.
      const anew = this.seq !== null && event.seq < this.seq;
      const wasStale = this.staleSince !== null;
      if (this.seq === null || anew) this.seq = event.seq;
      this.setStale(null);
      if (anew || wasStale) this.tell({ ...event, type: REFRESH });
      return;
    }
    if (event.seq > 0) this.seq = event.seq;
    this.tell(event);
  }

  private lost(): void {
    if (this.staleTimer === undefined && this.staleSince === null) {
      const since = Date.now();
      this.staleTimer = setTimeout(() => this.setStale(since), STALE_AFTER_MS);
    }
    const wait = this.pause * (0.75 + Math.random() / 2);
    this.pause = Math.min(this.pause * 2, LONGEST_PAUSE_MS);
    this.retry = setTimeout(() => this.open(), wait);
  }

  private setStale(since: number | null): void {
    if (this.staleSince === since) return;
    this.staleSince = since;
    for (const listener of this.staleListeners) listener();
  }

  private tell(event: LiveEvent): void {
    for (const listener of this.listeners) listener(event);
  }
}

const scheme = window.location.protocol === "https:" ? "wss:" : "ws:";
export const live = new Live(`${scheme}//${window.location.host}/api/v1/events`);
