"""A camera that sends H.264 by RTSP, in RTP within the connection, as a test says."""

import contextlib
import re
import socketserver
import struct
import threading

import av

from helpers.live_streams import PATIENCE, SIZE, picture

RATE = 20
SDP = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=camera\r\nt=0 0\r\n"
SDP += "m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=control:0\r\n"


def access_units(levels):
    """Return the H.264 of gray pictures, a list of NAL units for each; all are key frames."""
    codec = av.CodecContext.create("libx264", "w")
    codec.width, codec.height, codec.pix_fmt, codec.framerate = *SIZE, "yuv420p", RATE
    codec.options = {"preset": "ultrafast", "tune": "zerolatency", "g": "1"}
    frames = [av.VideoFrame.from_ndarray(picture(level), "rgb24") for level in levels]
    packets = [bytes(packet) for frame in frames for packet in codec.encode(frame)]
    return [[unit for unit in re.split(b"\0\0\0?\1", packet) if unit] for packet in packets]


@contextlib.contextmanager
def rtsp(*connections):
    """Serve gray pictures by RTSP: a list of levels for each connection in turn; give the address.

    After its list a connection falls silent, as of a camera whose network is gone.
    """
    left, over = list(connections), threading.Event()

    class Camera(socketserver.StreamRequestHandler):
        def handle(self):
            with contextlib.suppress(OSError):
                while request := self.rfile.readline().decode():
                    fields = b"".join(iter(self.rfile.readline, b"\r\n")).decode()
                    number = re.search(r"CSeq: (\d+)", fields)[1]
                    method = request.split()[0]
                    more = {
                        "OPTIONS": "Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN\r\n",
                        "DESCRIBE": f"Content-Type: application/sdp\r\nContent-Length: {len(SDP)}\r\n",
                        "SETUP": "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\nSession: 1\r\n",
                    }.get(method, "Session: 1\r\n")
                    answer = f"RTSP/1.0 200 OK\r\nCSeq: {number}\r\n{more}\r\n{SDP if method == 'DESCRIBE' else ''}"
                    self.wfile.write(answer.encode())
                    if method == "PLAY":
                        self.send(left.pop(0) if left else [])

        def send(self, levels):
            count = 0
            for time, units in enumerate(access_units(levels)):
                for place, unit in enumerate(units):
                    last = place == len(units) - 1
                    head = struct.pack(">BBHII", 0x80, 96 | last << 7, count % 65536, time * 90000 // RATE, 1)
                    self.wfile.write(b"$\0" + struct.pack(">H", len(head) + len(unit)) + head + unit)
                    count += 1
                over.wait(1 / RATE)
            over.wait(PATIENCE)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = allow_reuse_address = True

    with Server(("127.0.0.1", 0), Camera) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f"rtsp://me:secret@127.0.0.1:{server.server_address[1]}/live"
        over.set()
        server.shutdown()
