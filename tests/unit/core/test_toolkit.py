from runbook.core.toolkit import InstalledToolkit, ToolkitOrigin, ToolkitVersion


def test_runs_record_slug_version_and_digest():
    installed = InstalledToolkit(
        "lab", "Lab", "1.0.0", "d", ToolkitOrigin.UPLOAD, enabled=True, installed_at=5,
        installed_by="ann",
    )  # fmt: skip
    assert installed.recorded == ToolkitVersion("lab", "1.0.0", "d")
