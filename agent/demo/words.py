"""What the demonstration says, in Korean, or in English where the user's language is English."""

import os
from collections.abc import Mapping

_TEXTS: dict[str, tuple[str, str]] = {
    "title": (
        "봉수 시연: 가상 장치, 감시, 복제, 보관소가 이 컴퓨터에서 각각의 프로세스로 돌아갑니다.",
        "bongsu demonstration: simulated devices, monitor, replicator and vault run here, each a process of its own.",
    ),
    "place": ("설정과 기록: {root}", "configuration and logs: {root}"),
    "folder": ("이 폴더에 아무 문서나 넣어 보십시오: {folder}", "drop any document into this folder: {folder}"),
    "vault": ("보관소의 최신 사본: {current}", "the newest copies at the vault: {current}"),
    "console": ("상황판: {url}", "console: {url}"),
    "try": ("다른 터미널에서 해 볼 것:", "to try in another terminal:"),
    "wait": ("시작합니다 ...", "starting ..."),
    "first": ("첫 측정값: 랙1 온도 {value:.1f} °C", "first reading: rack 1 at {value:.1f} °C"),
    "copied": (
        "보관소 연결됨: 문서 {files}개가 이미 건물 밖에 있습니다.",
        "the vault is connected: {files} documents are out of the building already.",
    ),
    "temperature": ("랙1 온도 {value:.1f} °C", "rack 1 at {value:.1f} °C"),
    "sensor": ("{point}: {value}", "{point}: {value}"),
    "scan": (
        "직원이 스캔 문서 {megabytes:.0f} MB를 한꺼번에 저장했습니다 (평소 대역폭은 초당 1 MB로 제한).",
        "somebody saved {megabytes:.0f} MB of scanned pages at once (the line is limited to 1 MB/s in calm times).",
    ),
    "fire": ("재난 시작: 온도가 오르고, 물이 새고, 연기가 납니다.", "the disaster begins: heat, a leak, smoke."),
    "pending": (
        "아직 건물 안에 있는 문서: {files}개, {megabytes:.1f} MB",
        "documents still in the building: {files}, {megabytes:.1f} MB",
    ),
    "safe": (
        "경보 전에 저장한 문서가 모두 건물 밖에 있습니다 (첫 경보 후 {seconds:.1f}초).",
        "every document saved before the alarm is out of the building ({seconds:.1f} s after the first message).",
    ),
    "message": ("문자 ({event}): {text}", "message ({event}): {text}"),
    "message_in": ("문자 ({event}, 경보 후 {seconds:.2f}초): {text}", "message ({event}, {seconds:.2f} s): {text}"),
    "goes_on": ("계속 돌아갑니다. Ctrl-C로 끝냅니다.", "it goes on; Ctrl-C ends it."),
    "proof": (
        "검증: 보관소만으로 폴더를 복원해 한 바이트씩 비교합니다.",
        "proof: restore from the vault alone and compare.",
    ),
    "equal": (
        "복원 결과가 같습니다: 파일 {files}개, {megabytes:.1f} MB.",
        "what came back is equal: {files} files, {megabytes:.1f} MB.",
    ),
    "fault": ("실패: {text}", "failed: {text}"),
    "hint": ("      → {text}", "      → {text}"),
    "durable": (
        "문서 변경에서 보관소 디스크 기록까지: 중앙값 {p50:.1f} ms, 99% {p99:.1f} ms ({count}건)",
        "document changed to durable at the vault: median {p50:.1f} ms, 99% within {p99:.1f} ms ({count})",
    ),
    "passed": ("시연 성공.", "the demonstration passed."),
    "stopping": ("멈추는 중 ...", "stopping ..."),
    "stopped": ("모두 멈췄습니다.", "everything has stopped."),
    "interrupted": ("중간에 멈췄으므로 아무것도 증명되지 않았습니다.", "it was interrupted: nothing was proven."),
    "kept": ("기록을 남겨 두었습니다: {root}", "the logs are kept: {root}"),
}


def language(environment: Mapping[str, str] = os.environ) -> str:
    """Return `en` where the user's locale is English, else `ko`."""
    names = (environment.get(name, "") for name in ("LC_ALL", "LC_MESSAGES", "LANG"))
    chosen = next((name for name in names if name), "")
    return "en" if chosen.lower().startswith("en") else "ko"


def text(key: str, tongue: str, **values: object) -> str:
    """Return one text in `ko` or `en` with its values."""
    korean, english = _TEXTS[key]
    return (english if tongue == "en" else korean).format(**values)
