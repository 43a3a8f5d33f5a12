/**
 * Trickle ICE over SIP (RFC 8840): candidates that are found after their description was sent go by INFO, once there is
 * a dialog to send it in; those of the server come likewise.
 */
export const SUPPORTED = "Supported: trickle-ice";
const TYPE = "application/trickle-ice-sdpfrag";
const HEADERS = ["Info-Package: trickle-ice", "Content-Disposition: Info-Package"];
/** Candidates come in bursts; so many milliseconds of them make one INFO. */
const BURST_MS = 50;

/** What it needs of a call of JsSIP. */
export interface TrickleSession {
  connection: RTCPeerConnection | null;
  isEstablished: () => boolean;
  sendInfo: (type: string, body?: string, options?: { extraHeaders?: string[] }) => void;
}

export class Trickle {
  private description = "";
  private waiting: RTCIceCandidate[] = [];
  private complete = false;
  private isOpen = false;
  private burst: ReturnType<typeof setTimeout> | undefined;

  constructor(private session: TrickleSession) {}

  /** A description of ours goes out: what is in it need not be told again. */
  told(description: string): void {
    this.description = description;
    this.waiting = this.waiting.filter((each) => !description.includes(each.candidate));
  }

  /** The browser has found one; null: it was the last. */
  found(candidate: RTCIceCandidate | null): void {
    if (candidate?.candidate) {
      this.complete = false;
      if (!this.description.includes(candidate.candidate)) this.waiting.push(candidate);
    } else {
      this.complete = true;
    }
    this.later();
  }

  /** The dialog is there. */
  open(): void {
    this.isOpen = true;
    this.later();
  }

  /** Take those of the server; of another ICE session than the present one, the browser refuses them. */
  take({ contentType, body }: { contentType: string; body: string }): void {
    if (!contentType.startsWith(TYPE)) return;
    const mid = /^a=mid:(\S+)/m.exec(body)?.[1] ?? "0";
    const usernameFragment = /^a=ice-ufrag:(\S+)/m.exec(body)?.[1];
    for (const [, candidate] of body.matchAll(/^a=(candidate:[^\r\n]+)/gm)) {
      this.session.connection
        ?.addIceCandidate({ candidate, sdpMid: mid, ...(usernameFragment ? { usernameFragment } : {}) })
        .catch(() => {});
    }
  }

  private later(): void {
    clearTimeout(this.burst);
    if (this.isOpen && this.waiting.length > 0) this.burst = setTimeout(() => this.send(), BURST_MS);
  }

  private send(): void {
    if (!this.session.isEstablished()) return;
    const body = fragment(this.description, this.waiting, this.complete);
    this.waiting = [];
    if (body) this.session.sendInfo(TYPE, body, { extraHeaders: HEADERS });
  }
}

/** Return candidates as an INFO carries them; those of another ICE session than the description's are left out. */
export function fragment(description: string, candidates: RTCIceCandidate[], complete: boolean): string {
  const value = (name: string): string => new RegExp(`^a=${name}:(\\S+)`, "m").exec(description)?.[1] ?? "";
  const ufrag = value("ice-ufrag");
  const ours = candidates.filter((each) => !each.usernameFragment || each.usernameFragment === ufrag);
  const media = /^m=audio [^\r\n]+/m.exec(description)?.[0];
  if (!ufrag || !media || ours.length === 0) return "";
  const lines = [
    `a=ice-ufrag:${ufrag}`,
    `a=ice-pwd:${value("ice-pwd")}`,
    media,
    `a=mid:${value("mid")}`,
    ...ours.map((each) => `a=${each.candidate.replace(/^a=/, "")}`),
    ...(complete ? ["a=end-of-candidates"] : []),
  ];
  return `${lines.join("\r\n")}\r\n`;
}
