import JsSIP from "jssip";
import type { RTCSession } from "jssip/lib/RTCSession";
import type { IncomingRTCSessionEvent, OutgoingRTCSessionEvent } from "jssip/lib/UA";
import { SUPPORTED, Trickle } from "./trickle";

/**
 * The page's phone: JsSIP over the server's WebSocket, as a table of states. It knows one call at a time.
 *
 * A page that goes away says nothing, neither BYE nor un-REGISTER: the server keeps the talk for its return, and calls
 * the phone of the new page with `Call-Info: ...;answer-after=0`, which is answered at once.
 */
export type PhoneState = "off" | "connecting" | "ready" | "ringing" | "calling" | "talking" | "failed";
type Input = "start" | "registered" | "lost" | "invited" | "called" | "answered" | "ended" | "failed" | "stopped";

const TABLE: Record<PhoneState, Partial<Record<Input, PhoneState>>> = {
  off: { start: "connecting" },
  connecting: { registered: "ready", failed: "failed", stopped: "off", called: "calling", invited: "ringing" },
  ready: { lost: "connecting", invited: "ringing", called: "calling", stopped: "off", failed: "failed" },
  ringing: { answered: "talking", ended: "ready", stopped: "off" },
  calling: { answered: "talking", ended: "ready", stopped: "off" },
  talking: { ended: "ready", stopped: "off" },
  failed: { start: "connecting", registered: "ready", stopped: "off" },
};

export type Cause =
  | "microphone_refused"
  | "no_microphone"
  | "unreachable"
  | "busy"
  | "not_found"
  | "rejected"
  | "password"
  | "other"
  | "";

export interface Account {
  uri: string;
  path: string;
  user?: string;
  password?: string;
  realm?: string;
  displayName?: string;
  ice_servers?: RTCIceServer[];
}

/** What of JsSIP is used beside its interface: `renegotiate()` would hang up where its re-INVITE fails. */
interface Reoffering {
  isReadyToReOffer: () => boolean;
  _sendReinvite: (options: {
    eventHandlers: { succeeded: () => void; failed: () => void };
    rtcOfferConstraints: RTCOfferOptions;
  }) => void;
}

export interface Quality {
  lost: number;
  jitterMs: number;
  roundTripMs: number;
  codec: string;
}

/** With the first candidate come others at once; whatever comes later is trickled (RFC 8838). */
const FIRST_CANDIDATES_MS = 30;
/** So long an ICE restart may take until the page gives its call another way: as a new phone. */
const BROKEN_MS = 3000;

export class Phone {
  state: PhoneState = "off";
  /** The server's id of the call, of those that it brought. */
  callId = "";
  cause: Cause = "";
  muted = false;
  microphone = "";
  speaker = "";
  /** `pcmu` or `opus`: offer this codec alone. */
  codec = "";
  readonly audio = new Audio();
  private ua: JsSIP.UA | null = null;
  private session: RTCSession | null = null;
  private stream: MediaStream | null = null;
  private listeners = new Set<() => void>();
  private account: Account | null = null;
  private broken: ReturnType<typeof setTimeout> | undefined;
  private trickle: Trickle | null = null;
  private readonly networkChanged = (): void => this.restartIce();

  constructor() {
    this.audio.autoplay = true;
  }

  listen(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Connect, and register where the account has a password. */
  start(account: Account): void {
    if (this.ua) return;
    this.account = account;
    const scheme = window.location.protocol === "https:" ? "wss:" : "ws:";
    const socket = new JsSIP.WebSocketInterface(`${scheme}//${window.location.host}${account.path}`);
    const registers = account.password !== undefined;
    const ua = new JsSIP.UA({
      sockets: [socket],
      uri: account.uri,
      register: registers,
      register_expires: 120,
      session_timers: false,
      connection_recovery_min_interval: 1,
      connection_recovery_max_interval: 8,
      user_agent: "hotline page",
      ...(registers ? { authorization_user: account.user, password: account.password, realm: account.realm } : {}),
      ...(account.displayName ? { display_name: account.displayName } : {}),
    });
    this.ua = ua;
    this.move("start");
    window.addEventListener("online", this.networkChanged);
    network()?.addEventListener?.("change", this.networkChanged);
    if (!registers) ua.on("connected", () => this.move("registered"));
    ua.on("registered", () => {
      this.move("registered");
      if (isBroken(this.session?.connection)) this.restartIce();
    });
    ua.on("disconnected", () => this.move("lost"));
    ua.on("registrationFailed", (event) => {
      if (event.cause === "Connection Error" || event.cause === "Request Timeout") return;
      this.cause = "password";
      this.move("failed");
    });
    ua.on("newRTCSession", (event: IncomingRTCSessionEvent | OutgoingRTCSessionEvent) => this.take(event));
    ua.start();
  }

  /** Sign off: un-REGISTER, and hang up. */
  stop(): void {
    clearTimeout(this.broken);
    window.removeEventListener("online", this.networkChanged);
    network()?.removeEventListener?.("change", this.networkChanged);
    this.ua?.stop();
    this.ua = null;
    this.session = null;
    this.release();
    this.move("stopped");
  }

  /**
   * The way to the server is gone (another network, a sleeping computer): be a new phone, as a reloaded page is. Nothing
   * is said on the old way, and the server calls back into the talk. A page that is not registered cannot be called.
   */
  private comeBack(): void {
    clearTimeout(this.broken);
    const { ua, session, account } = this;
    if (!ua || !account || account.password === undefined) return;
    ua.removeAllListeners();
    // Not `ua.stop()`, which would hang up.
    (ua as unknown as { transport: { disconnect: () => void } }).transport.disconnect();
    session?.removeAllListeners();
    session?.connection?.close();
    this.ua = null;
    this.session = null;
    this.release();
    this.state = "off";
    this.start(account);
  }

  /**
   * The way of the voice is gone, or another network is there: look for another way in the same call. Where that leads
   * nowhere in time, `comeBack` does.
   */
  restartIce(): void {
    const session = this.session;
    if (this.state !== "talking" || !session?.isEstablished() || !this.ua?.isConnected()) return;
    const reoffering = session as unknown as Reoffering;
    if (!reoffering.isReadyToReOffer()) return;
    reoffering._sendReinvite({
      eventHandlers: {
        succeeded: () => {},
        failed: () => session === this.session && isBroken(session.connection) && this.comeBack(),
      },
      rtcOfferConstraints: { iceRestart: true },
    });
  }

  private get rtc(): { pcConfig: RTCConfiguration; extraHeaders: string[] } {
    return { pcConfig: { iceServers: this.account?.ice_servers ?? [] }, extraHeaders: [SUPPORTED] };
  }

  async call(target: string): Promise<void> {
    const stream = await this.capture();
    if (!stream || !this.ua) return;
    this.cause = "";
    this.ua.call(target, { mediaStream: stream, ...this.rtc });
  }

  async answer(): Promise<void> {
    const session = this.session;
    if (this.state !== "ringing" || !session) return;
    const stream = await this.capture();
    if (!stream) {
      session.terminate({ status_code: 480 });
      return;
    }
    // It may have ended, or have been answered by a second click, while the browser asked for the microphone.
    if (session === this.session && session.status === 4) {
      session.answer({ mediaStream: stream, ...this.rtc });
    }
  }

  reject(): void {
    if (this.state === "ringing") this.session?.terminate({ status_code: 486 });
  }

  hangUp(): void {
    if (this.session && !this.session.isEnded()) this.session.terminate();
  }

  setMuted(muted: boolean): void {
    this.muted = muted;
    for (const track of this.stream?.getAudioTracks() ?? []) track.enabled = !muted;
    this.tell();
  }

  press(key: string): void {
    if (this.state === "talking") {
      this.session?.sendDTMF(key, { transportType: "RFC2833" as never, duration: 120, interToneGap: 70 });
    }
  }

  /** Take another microphone, in mid-call too. */
  async setMicrophone(id: string): Promise<void> {
    this.microphone = id;
    if (this.session && this.stream) {
      const before = this.stream;
      const stream = await this.capture(true);
      const track = stream?.getAudioTracks()[0];
      const sender = this.session.connection?.getSenders().find((each) => each.track?.kind === "audio");
      if (track && sender) await sender.replaceTrack(track);
      for (const old of before.getTracks()) old.stop();
      this.setMuted(this.muted);
    }
    this.tell();
  }

  async setSpeaker(id: string): Promise<void> {
    this.speaker = id;
    if ("setSinkId" in this.audio) await this.audio.setSinkId(id).catch(() => {});
    this.tell();
  }

  async quality(): Promise<Quality | null> {
    const report = await this.session?.connection?.getStats();
    if (!report) return null;
    const found: Quality = { lost: 0, jitterMs: 0, roundTripMs: 0, codec: "" };
    let inbound = "";
    for (const stats of report.values()) {
      if (stats.type === "inbound-rtp" && stats.kind === "audio") {
        const all = stats.packetsReceived + stats.packetsLost;
        found.lost = all > 0 ? Math.max(0, stats.packetsLost) / all : 0;
        found.jitterMs = (stats.jitter ?? 0) * 1000;
        inbound = stats.codecId;
      }
      if (stats.type === "candidate-pair" && stats.nominated)
        found.roundTripMs = (stats.currentRoundTripTime ?? 0) * 1000;
    }
    for (const stats of report.values()) {
      if (stats.type === "codec" && stats.id === inbound) found.codec = String(stats.mimeType).replace("audio/", "");
    }
    return found;
  }

  private take({ session, request }: IncomingRTCSessionEvent | OutgoingRTCSessionEvent): void {
    const incoming = session.direction === "incoming";
    if (incoming && this.session && !this.session.isEnded()) {
      if (!this.isReturn(request)) {
        session.terminate({ status_code: 486 });
        return;
      }
      this.session = null; // the server knows better which talk is alive
    }
    this.session = session;
    this.muted = false;
    session.on("peerconnection", ({ peerconnection }) => this.watch(peerconnection));
    if (session.connection) this.watch(session.connection);
    const trickle = new Trickle(session);
    this.trickle = trickle;
    session.on("icecandidate", ({ ready }) => setTimeout(ready, FIRST_CANDIDATES_MS));
    session.on("confirmed", () => trickle.open());
    session.on(
      "newInfo",
      ({ originator, info }: { originator: string; info: { contentType: string; body: string } }) => {
        if (originator === "remote") trickle.take(info);
      },
    );
    session.on("sdp", (event) => {
      if (this.codec && event.originator === "local" && event.type === "offer") event.sdp = only(event.sdp, this.codec);
      if (event.originator === "local") trickle.told(event.sdp);
    });
    session.on("accepted", () => session === this.session && this.move("answered"));
    session.on("ended", () => this.over(session, ""));
    session.on("failed", (event) => this.over(session, causeOf(event.cause)));
    this.callId = incoming ? (request.getHeader("X-Hotline-Call") ?? "") : "";
    this.move(incoming ? "invited" : "called");
    if (incoming && this.isReturn(request)) void this.answer();
  }

  private isReturn(request: { getHeader: (name: string) => string | undefined }): boolean {
    return (request.getHeader("Call-Info") ?? "").includes("answer-after=0");
  }

  private watch(connection: RTCPeerConnection): void {
    connection.addEventListener("track", (event) => {
      this.audio.srcObject = event.streams[0] ?? new MediaStream([event.track]);
      void this.setSpeaker(this.speaker);
    });
    connection.addEventListener("icecandidate", ({ candidate }) => {
      if (connection === this.session?.connection) this.trickle?.found(candidate);
    });
    // `failed` comes much later, and JsSIP would hang up on it.
    connection.addEventListener("iceconnectionstatechange", () => {
      if (!isBroken(connection) && connection.iceConnectionState !== "checking") clearTimeout(this.broken);
      if (connection.iceConnectionState === "disconnected" && connection === this.session?.connection) {
        clearTimeout(this.broken);
        this.restartIce();
        this.broken = setTimeout(() => this.comeBack(), BROKEN_MS);
      }
    });
  }

  private over(session: RTCSession, cause: Cause): void {
    if (session !== this.session) return;
    this.session = null;
    this.callId = "";
    this.cause = cause;
    this.release();
    this.move("ended");
  }

  private release(): void {
    for (const track of this.stream?.getTracks() ?? []) track.stop();
    this.stream = null;
    this.audio.srcObject = null;
  }

  private async capture(anew = false): Promise<MediaStream | null> {
    if (!anew && this.stream?.active) return this.stream;
    try {
      this.stream = await navigator.mediaDevices.getUserMedia({
        audio: { ...(this.microphone ? { deviceId: { ideal: this.microphone } } : {}), echoCancellation: true },
      });
      return this.stream;
    } catch (error) {
      this.cause = (error as DOMException).name === "NotAllowedError" ? "microphone_refused" : "no_microphone";
      this.tell();
      return null;
    }
  }

  private move(input: Input): void {
    const next = TABLE[this.state][input];
    if (next) this.state = next;
    this.tell();
  }

  private tell(): void {
    for (const listener of this.listeners) listener();
  }
}

/** What some browsers know of the network that they are in. */
function network(): EventTarget | undefined {
  return (navigator as { connection?: EventTarget }).connection;
}

function isBroken(connection: RTCPeerConnection | null | undefined): boolean {
  return connection?.iceConnectionState === "disconnected" || connection?.iceConnectionState === "failed";
}

/** Return an offer with one codec, and the keys that go with its clock. */
export function only(sdp: string, codec: string): string {
  const name = codec === "opus" ? "opus/48000" : `${codec.toUpperCase()}/8000`;
  const clock = codec === "opus" ? "48000" : "8000";
  const kept = [...sdp.matchAll(/^a=rtpmap:(\d+) (\S+)/gm)]
    .filter(([, , map]) => map?.startsWith(name) || map === `telephone-event/${clock}`)
    .map(([, number]) => number);
  return sdp.replace(/^(m=audio \d+ \S+).*$/m, (_line, head: string) => `${head} ${kept.join(" ")}`);
}

function causeOf(cause: string): Cause {
  const known: Record<string, Cause> = {
    Busy: "busy",
    "Not Found": "not_found",
    "Connection Error": "unreachable",
    "Request Timeout": "unreachable",
    Unavailable: "unreachable",
    Rejected: "rejected",
    "User Denied Media Access": "microphone_refused",
    Canceled: "",
  };
  return known[cause] ?? "other";
}

/** What a SIP address takes of a typed number, `""` for one that is none. */
export function dialled(number: string): string {
  const bare = number.replace(/[\s().-]/g, "");
  return /^\+?\d{7,15}$/.test(bare) ? bare : "";
}
