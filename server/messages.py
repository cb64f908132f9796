"""What participants read: for each code a sentence, and what to do next.

Nothing here tells of hidden cases but a code, a stage and a count.
"""

from server.protocol import FailureCode, Stage, WarningCode

_F, _W = FailureCode, WarningCode

FAILURES: dict[FailureCode, str] = {
    _F.EXIT: (
        "The entry script ended with an exit code other than 0. The log of the toy run says why, here or as "
        "`mood try` shows it on your own machine."
    ),
    _F.BUDGET: (
        "The container was stopped past its time budget, so nothing of this start is scored. "
        "Make it faster: the budget is for each case, times the number of cases."
    ),
    _F.MEMORY: (
        "The container's main process was ended because it used more memory than it may. "
        "Load one case at a time, or use a smaller model."
    ),
    _F.OUTPUT_FULL: (
        "The container filled its output folder. Write one prediction for each case to /mnt/pred and nothing else."
    ),
    _F.NO_PREDICTION: (
        "The container ended without one prediction that can be read. Write predictions to the second "
        "argument of the entry script, each under the name of its input."
    ),
    _F.ARCHIVE_FORMAT: (
        "The file is not an image archive, or it is damaged. Hand in what `docker save IMAGE -o image.tar` "
        "writes, plain or compressed with gzip."
    ),
    _F.ARCHIVE_OCI: (
        "The archive is an OCI layout, which `docker load` cannot read. Convert it with "
        "`skopeo copy oci-archive:IN.tar docker-archive:OUT.tar`, or save it with `docker save IMAGE -o OUT.tar`."
    ),
    _F.ARCHIVE_IMAGES: (
        "The archive has to hold exactly one image. Save one image by one name: `docker save NAME:TAG -o image.tar`."
    ),
    _F.ARCHIVE_PLATFORM: (
        "The image is for another platform than the one that runs it. Build it with "
        "`docker build --platform linux/amd64`, or for the architecture that the challenge names."
    ),
    _F.ARCHIVE_SIZE: (
        "The image is larger than the challenge allows. Remove what is not needed at run time, such as wheels, "
        "caches and build tools, in the same build step that adds it."
    ),
    _F.ARCHIVE_DAMAGED: (
        "A layer of the image is missing, or is not what the image's configuration says. Save the image again "
        "and hand that in."
    ),
    _F.ARCHIVE_SCRIPTS: (
        "The image lacks an entry script of the task. Put one for each data set at "
        "/workspace/run_TASK_DATASET.sh, as a regular file or a link to one."
    ),
    _F.PLATFORM: (
        "The platform failed three times at this job. That is not your image's doing: the try was given back, "
        "and the organizers see it. Submit again later."
    ),
}

WARNINGS: dict[WarningCode, tuple[str, str]] = {  # one, several
    _W.MISSING: (
        "1 case has no prediction and counts 0 everywhere.",
        "{count} cases have no prediction and count 0 everywhere.",
    ),
    _W.UNREADABLE: (
        "1 prediction cannot be read and counts 0 everywhere.",
        "{count} predictions cannot be read and count 0 everywhere.",
    ),
    _W.SHAPE: (
        "1 prediction has another shape than its input and counts 0 everywhere.",
        "{count} predictions have another shape than their input and count 0 everywhere.",
    ),
    _W.NOT_REGULAR: (
        "1 prediction is not a regular file (a link, folder or pipe) and counts 0 everywhere.",
        "{count} predictions are not regular files (links, folders or pipes) and count 0 everywhere.",
    ),
    _W.TOO_LARGE: (
        "1 prediction is larger than a volume of its shape can be and counts 0 everywhere.",
        "{count} predictions are larger than volumes of their shape can be and count 0 everywhere.",
    ),
    _W.NAN: (
        "1 case holds scores that are not a number; these count 0.",
        "{count} cases hold scores that are not a number; these count 0.",
    ),
    _W.INFINITE: (
        "1 case holds infinite scores: plus counts 1, minus counts 0.",
        "{count} cases hold infinite scores: plus counts 1, minus counts 0.",
    ),
    _W.CLAMPED: (
        "1 case holds scores outside [0, 1]; these were clamped.",
        "{count} cases hold scores outside [0, 1]; these were clamped.",
    ),
    _W.CONSTANT: (
        "1 case has the same score everywhere.",
        "{count} cases have the same score everywhere.",
    ),
    _W.SCALED: (
        "1 file carries a slope or an intercept, which was applied.",
        "{count} files carry a slope or an intercept, which was applied.",
    ),
    _W.GZIP_TAIL: (
        "1 file has a bad checksum or bytes after its volume; its voxels were read.",
        "{count} files have a bad checksum or bytes after their volume; their voxels were read.",
    ),
    _W.LOG_CUT: ("The log was longer than what is kept.", "{count} logs were longer than what is kept."),
    _W.CHILD_MEMORY: (
        "A process was ended for its memory although the container ended with 0.",
        "In {count} container starts a process was ended for its memory although the container ended with 0.",
    ),
}

STAGES: dict[Stage, str] = {Stage.TOY: "on the toy cases", Stage.HIDDEN: "on the hidden cases"}


def failure(code: FailureCode, stage: Stage | None = None, detail: str | None = None) -> str:
    """One paragraph: what happened, where, and what to do.

    `detail` is shown for the archive and the toy stage alone: of hidden cases nothing is told but the
    code and the stage.
    """
    parts = [FAILURES[code]]
    if stage is not None and not code.is_ours:
        parts.append(f"It happened {STAGES[stage]}.")
    if detail and stage is not Stage.HIDDEN and not code.is_ours:
        parts.append(f"Exactly: {detail.removesuffix('.')}.")
    return " ".join(parts)


def warning(code: WarningCode, count: int) -> str:
    """One sentence with its count."""
    one, several = WARNINGS[code]
    return one if count == 1 else several.format(count=count)


def hidden_warning(code: WarningCode, at_most: int) -> str:
    """One sentence about hidden cases, whose number is rounded up."""
    _, several = WARNINGS[code]
    return f"On the hidden cases, up to this many: {several.format(count=at_most)}"
