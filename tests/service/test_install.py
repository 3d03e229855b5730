"""What stands against making camgate a service, each in a sentence that says what to do."""

from pathlib import Path

import pytest

from camgate.service.install import (
    HIDDEN,
    MARK,
    CannotInstall,
    Place,
    Remove,
    Run,
    Write,
    check_program,
    check_system,
    run,
    steps_to_install,
    steps_to_uninstall,
)

PROGRAM = Path("/opt/camgate/bin/camgate")


def test_only_root_changes_this_system_and_only_where_systemd_runs(tmp_path: Path) -> None:
    with pytest.raises(CannotInstall, match="only root may do this"):
        check_system(Place(), user_id=1000, booted=tmp_path)
    with pytest.raises(CannotInstall, match="systemd does not run this machine"):
        check_system(Place(), user_id=0, booted=tmp_path / "missing")
    check_system(Place(), user_id=0, booted=tmp_path)
    check_system(Place(tmp_path), user_id=1000, booted=tmp_path / "missing")


@pytest.mark.parametrize(
    ("program", "words"),
    [
        *((f"{hidden}/venv/bin/camgate", "in a home directory") for hidden in HIDDEN),
        ("/opt/cam gate/bin/camgate", "have to escape"),
        ("/opt/%h/camgate", "have to escape"),
    ],
)
def test_a_program_that_the_service_could_not_run(program: str, words: str) -> None:
    with pytest.raises(CannotInstall, match=words):
        check_program(Path(program))


def test_a_python_in_a_home_directory_is_found_behind_links(tmp_path: Path) -> None:
    link = tmp_path / "python"
    link.symlink_to(HIDDEN[0] / "python")
    check_program(PROGRAM)
    with pytest.raises(CannotInstall, match="/home/python is in a home directory"):
        check_program(PROGRAM, link)


def test_a_package_that_has_made_it_a_service_goes_first(tmp_path: Path) -> None:
    unit = tmp_path / "usr/lib/systemd/system/camgate.service"
    unit.parent.mkdir(parents=True)
    unit.touch()
    with pytest.raises(CannotInstall, match="by a package"):
        list(steps_to_install(Place(tmp_path), PROGRAM))


def test_an_upgrade_writes_what_has_changed_alone(tmp_path: Path) -> None:
    place = Place(tmp_path)
    for step in steps_to_install(place, PROGRAM):
        if isinstance(step, Write):
            step.do()
    assert not [step for step in steps_to_install(place, PROGRAM) if isinstance(step, Write)]
    place.unit.write_text(MARK + "of an earlier version")
    (write,) = [step for step in steps_to_install(place, PROGRAM) if isinstance(step, Write)]
    assert write.file == place.unit


def test_what_was_asked_for_once_is_kept_up_to_date_and_what_others_have_written_is_left(tmp_path: Path) -> None:
    place = Place(tmp_path)
    for step in steps_to_install(place, PROGRAM, encoders=True):
        if isinstance(step, Write):
            step.do()
    place.encoders.write_text(MARK + "of an earlier version")
    place.buffers.parent.mkdir()
    place.buffers.write_text("net.core.rmem_max = 1\n")
    (write,) = [step for step in steps_to_install(place, PROGRAM) if isinstance(step, Write)]
    assert write.file == place.encoders
    removed = [step.file for step in steps_to_uninstall(place) if isinstance(step, Remove)]
    assert removed == [place.unit, place.encoders, place.sysusers]
    with pytest.raises(CannotInstall, match=r"90-camgate\.conf is there, and camgate has not written it"):
        list(steps_to_install(place, PROGRAM, buffers=True))


def test_this_system_is_told_at_once() -> None:
    place = Place()
    if place.unit.exists() or any(unit.exists() for unit in place.packaged):
        pytest.skip("camgate is installed here")
    commands = [step.command for step in steps_to_install(place, PROGRAM) if isinstance(step, Run)]
    assert commands == [
        ("systemd-sysusers", "/etc/sysusers.d/camgate.conf"),
        ("systemctl", "daemon-reload"),
        ("systemctl", "enable", "camgate.service"),
    ]
    with_buffers = [str(step) for step in steps_to_install(place, PROGRAM, buffers=True)]
    assert "run sysctl --quiet --load=/etc/sysctl.d/90-camgate.conf" in with_buffers
    assert list(steps_to_uninstall(place)) == []


def test_commands_that_fail_are_one_sentence() -> None:
    assert run(("echo", "said")) == "said\n"
    with pytest.raises(CannotInstall, match=r"^camgate-has-no-such-command is not there"):
        run(("camgate-has-no-such-command",))
    with pytest.raises(CannotInstall, match=r"^`false` failed: it ended with 1$"):
        run(("false",))
    with pytest.raises(CannotInstall, match=r"^`ls /nowhere` failed: .*No such file or directory$"):
        run(("ls", "/nowhere"))
