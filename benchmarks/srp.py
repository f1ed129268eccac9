"""What one SRP sign-in costs the server, with and without the ``srp`` extra.

Both implementations run alternately in one process, so that a busy machine slows both and the ratio stands.
"""

import statistics
import time
from collections.abc import Callable

from trusted_devices.crypto.encoding import encode_base64
from trusted_devices.crypto.modexp import PowMod, gmpy2_powmod, implementation, python_powmod
from trusted_devices.crypto.srp import Claim, ClientSession, server_ephemeral, user_identity, verify_claim
from trusted_devices.crypto.verifier import make_user_verifier

ROUNDS = 30
TIMESTAMP = "Tue Jan 6 03:04:05 UTC 2026"


def main() -> None:
    """Print the median of each implementation in milliseconds, and their ratio."""
    contenders: dict[str, PowMod] = {"pure Python": python_powmod}
    if implementation() == "gmpy2":
        contenders["gmpy2"] = gmpy2_powmod
    sign_in = prepared_sign_in()
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(ROUNDS):
        for name, powmod in contenders.items():
            times[name].append(sign_in(powmod))
    medians = {name: statistics.median(measured) * 1000 for name, measured in times.items()}
    print(f"SRP, the server's side of one sign-in (challenge and claim), median of {ROUNDS}:")
    for name, milliseconds in medians.items():
        print(f"  {name:<12} {milliseconds:7.1f} ms")
    if "gmpy2" in medians:
        print(f"  ratio        {medians['pure Python'] / medians['gmpy2']:7.1f} x")
    else:
        print("  gmpy2 is not installed (the srp extra brings it)")


def prepared_sign_in() -> Callable[[PowMod], float]:
    """A function that serves one whole sign-in of a fixed user and returns the server's seconds in it."""
    identity = user_identity(pool_name="AbC", user_id="alice")
    registered = make_user_verifier(pool_name="AbC", user_id="alice", password="correct horse")
    client = ClientSession.start()

    def sign_in(powmod: PowMod) -> float:
        started = time.perf_counter()
        ephemeral = server_ephemeral(verifier=registered.verifier, client_public=client.public, powmod=powmod)
        challenged = time.perf_counter()
        signature = client.sign(
            identity=identity,
            password="correct horse",
            salt=registered.salt_hex,
            srp_b=ephemeral.srp_b,
            secret_block=encode_base64(b"opaque"),
            timestamp=TIMESTAMP,
        )
        answered = time.perf_counter()
        verify_claim(
            Claim(secret_block=b"opaque", timestamp=TIMESTAMP, signature=signature),
            verifier=registered.verifier,
            client_public=client.public,
            ephemeral=ephemeral,
            identity=identity,
            powmod=powmod,
        )
        return (challenged - started) + (time.perf_counter() - answered)

    return sign_in


if __name__ == "__main__":
    main()
