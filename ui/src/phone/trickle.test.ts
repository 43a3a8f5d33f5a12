import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { fragment, Trickle, type TrickleSession } from "./trickle";

const OFFER = [
  "v=0",
  "m=audio 9 UDP/TLS/RTP/SAVPF 0 8",
  "a=mid:0",
  "a=ice-ufrag:abcd",
  "a=ice-pwd:secret",
  "a=candidate:1 1 udp 2 192.0.2.1 4000 typ host",
  "",
].join("\r\n");

function candidate(address: string, ufrag = "abcd"): RTCIceCandidate {
  const text = `candidate:1 1 udp 2 ${address} 4000 typ host`;
  return { candidate: text, usernameFragment: ufrag } as RTCIceCandidate;
}

describe("candidates that come late", () => {
  const sent: string[] = [];
  const taken: RTCIceCandidateInit[] = [];
  const connection = { addIceCandidate: async (each: RTCIceCandidateInit) => void taken.push(each) };
  const session: TrickleSession = {
    connection: connection as unknown as RTCPeerConnection,
    isEstablished: () => true,
    sendInfo: (_type, body) => void sent.push(body ?? ""),
  };

  beforeEach(() => {
    vi.useFakeTimers();
    sent.length = taken.length = 0;
  });
  afterEach(() => void vi.useRealTimers());

  it("go by INFO once there is a dialog, each once, and not those of the description", () => {
    const trickle = new Trickle(session);
    trickle.found(candidate("192.0.2.1"));
    trickle.told(OFFER);
    trickle.found(candidate("192.0.2.2"));
    trickle.found(null);
    vi.runAllTimers();
    expect(sent).toEqual([]);
    trickle.open();
    vi.runAllTimers();
    expect(sent).toHaveLength(1);
    expect(sent[0]).toContain("a=ice-ufrag:abcd\r\na=ice-pwd:secret\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0 8\r\na=mid:0\r\n");
    expect(sent[0]).toContain("192.0.2.2");
    expect(sent[0]).not.toContain("192.0.2.1 ");
    expect(sent[0]).toContain("a=end-of-candidates");
  });

  it("of the server are given to the browser with their ICE session", () => {
    const trickle = new Trickle(session);
    const body = fragment(OFFER, [candidate("192.0.2.9")], false);
    trickle.take({ contentType: "application/trickle-ice-sdpfrag", body });
    trickle.take({ contentType: "application/dtmf-relay", body });
    expect(taken).toEqual([
      { candidate: "candidate:1 1 udp 2 192.0.2.9 4000 typ host", sdpMid: "0", usernameFragment: "abcd" },
    ]);
  });

  it("of a session that was restarted since are nobody's", () => {
    expect(fragment(OFFER, [candidate("192.0.2.9", "old")], true)).toBe("");
  });
});
