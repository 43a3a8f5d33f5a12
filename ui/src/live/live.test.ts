import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Live, type LiveEvent, REFRESH, STALE_AFTER_MS } from "./live";

class FakeSocket {
  static all: FakeSocket[] = [];
  onmessage: ((message: { data: string }) => void) | null = null;
  onclose: (() => void) | null = null;
  closed = false;

  constructor(readonly address: string) {
    FakeSocket.all.push(this);
  }

  close(): void {
    this.closed = true;
    this.onclose?.();
  }

  say(event: Partial<LiveEvent>): void {
    this.onmessage?.({ data: JSON.stringify({ at: "", ...event }) });
  }
}

const last = (): FakeSocket => FakeSocket.all.at(-1) as FakeSocket;

describe("live events", () => {
  let live: Live;
  let told: string[];

  beforeEach(() => {
    vi.useFakeTimers();
    vi.stubGlobal("WebSocket", FakeSocket);
    FakeSocket.all = [];
    told = [];
    live = new Live("ws://here/events");
    live.listen((event) => told.push(`${event.seq}:${event.type}`));
    live.start();
    last().say({ type: "hello", seq: 7 });
  });

  afterEach(() => {
    live.stop();
    vi.useRealTimers();
    vi.unstubAllGlobals();
  });

  it("come as they are, and hello is not one", () => {
    last().say({ type: "call.arrived", seq: 8 });
    expect(told).toEqual(["8:call.arrived"]);
  });

  it("go on after the last number when the connection comes back", () => {
    last().say({ type: "call.arrived", seq: 8 });
    last().close();
    vi.advanceTimersByTime(1000);
    expect(last().address).toBe("ws://here/events?since=8");
    expect(live.stale).toBeNull();
  });

  it("are stale after three seconds, and everything is fetched again afterwards", () => {
    last().close();
    vi.advanceTimersByTime(STALE_AFTER_MS + 100);
    expect(live.stale).not.toBeNull();
    while (last().closed) vi.advanceTimersByTime(1000);
    last().say({ type: "hello", seq: 9 });
    expect(live.stale).toBeNull();
    expect(told).toEqual([`9:${REFRESH}`]);
  });

  it("of a server that started anew have everything fetched again", () => {
    last().close();
    vi.advanceTimersByTime(1000);
    last().say({ type: "hello", seq: 2 });
    expect(told).toEqual([`2:${REFRESH}`]);
    last().close();
    vi.advanceTimersByTime(2000);
    expect(last().address).toBe("ws://here/events?since=2");
  });

  it("try again ever more slowly", () => {
    for (let attempt = 0; attempt < 6; attempt += 1) {
      last().close();
      vi.advanceTimersByTime(20_000);
    }
    expect(FakeSocket.all.length).toBe(7);
    last().close();
    const before = FakeSocket.all.length;
    vi.advanceTimersByTime(2000);
    expect(FakeSocket.all.length).toBe(before);
  });

  it("without a number, words that grow, do not move the number on", () => {
    last().say({ type: "transcript.phrase" });
    last().close();
    vi.advanceTimersByTime(1000);
    expect(last().address).toBe("ws://here/events?since=7");
  });

  it("end with stop", () => {
    live.stop();
    vi.advanceTimersByTime(60_000);
    expect(FakeSocket.all.length).toBe(1);
  });
});
