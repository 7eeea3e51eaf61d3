"""The resources in the OpenAPI document. Resources nested in them are included."""

from __future__ import annotations

from runbook.resources.activity import ChangesJson
from runbook.resources.artifact import ArtifactListJson
from runbook.resources.audit import AuditPageJson
from runbook.resources.blame import BackupDiffJson, BackupListJson, BlameJson
from runbook.resources.choices import ChoicesJson
from runbook.resources.connection import (
    ConnectionCheckJson,
    ConnectionJson,
    ConnectionKindListJson,
    ConnectionListJson,
    RetrustJson,
)
from runbook.resources.declaration import InputSchemaJson, RequiredEnvJson
from runbook.resources.device import (
    DeviceExportJson,
    DeviceFiltersJson,
    DeviceJson,
    DevicePageJson,
    DeviceRunbookListJson,
    ImportedDevicesJson,
)
from runbook.resources.event import DoneJson, EventJson
from runbook.resources.fanout import AdvancedJson, FanoutJson, FanoutPageJson
from runbook.resources.history import HistoryEntryJson, HistoryPageJson
from runbook.resources.log import LogHitsJson
from runbook.resources.preview import RunbookLocksJson
from runbook.resources.problem import ProblemJson
from runbook.resources.report import ReportJson
from runbook.resources.rerun import RunDocumentJson, UndoingJson
from runbook.resources.run import AcceptedJson, RunJson, RunPageJson, WholeRunJson
from runbook.resources.runbook import RunbookContentJson, RunbookListJson
from runbook.resources.server import (
    ConfigJson,
    LivenessJson,
    LoginJson,
    MessageJson,
    ProbeJson,
    PublicInfoJson,
    StatusJson,
)
from runbook.resources.toolkit import (
    InstalledToolkitJson,
    ToolkitDetailsJson,
    ToolkitListJson,
    ToolkitReadmeJson,
)

DOCUMENTED: tuple[type, ...] = (
    RunbookListJson,
    RunbookContentJson,
    RequiredEnvJson,
    InputSchemaJson,
    ChoicesJson,
    RunbookLocksJson,
    HistoryPageJson,
    HistoryEntryJson,
    ReportJson,
    DoneJson,
    AcceptedJson,
    LogHitsJson,
    LivenessJson,
    ProbeJson,
    MessageJson,
    RunJson,
    WholeRunJson,
    ArtifactListJson,
    RunPageJson,
    FanoutJson,
    FanoutPageJson,
    AdvancedJson,
    RunDocumentJson,
    UndoingJson,
    EventJson,
    ChangesJson,
    LoginJson,
    ConfigJson,
    StatusJson,
    PublicInfoJson,
    AuditPageJson,
    ToolkitListJson,
    ToolkitDetailsJson,
    InstalledToolkitJson,
    ConnectionKindListJson,
    ConnectionListJson,
    ConnectionJson,
    ConnectionCheckJson,
    RetrustJson,
    ToolkitReadmeJson,
    DevicePageJson,
    DeviceJson,
    DeviceFiltersJson,
    DeviceExportJson,
    DeviceRunbookListJson,
    ImportedDevicesJson,
    BackupListJson,
    BackupDiffJson,
    BlameJson,
    ProblemJson,
)
