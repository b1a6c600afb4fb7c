"""Addresses of deployments, services, environments, releases and policies."""

from __future__ import annotations

from django.urls import path

from deployments import gate_views, place_views, settings_views, verdict_views, views

urlpatterns = [
    path("", views.deployments, name="deployments"),
    path("fragment/", views.deployments_fragment, name="deployments_fragment"),
    path("names/", views.names, name="deployment_names"),
    path("new/", views.new, name="deployment_new"),
    path("environments/", place_views.environments, name="environments"),
    path("environments/fragment/", place_views.environments_fragment, name="environments_fragment"),
    path("environments/new/", settings_views.new_environment, name="environment_new"),
    path("environments/<int:number>/", place_views.environment, name="environment"),
    path("environments/<int:number>/edit/", settings_views.edit_environment, name="environment_edit"),
    path("environments/<int:number>/hold/", place_views.hold_environment, name="environment_hold"),
    path("services/new/", settings_views.new_service, name="service_new"),
    path("services/<int:number>/", place_views.service, name="service"),
    path("services/<int:number>/pipeline/", settings_views.pipeline, name="service_pipeline"),
    path("releases/<int:number>/", place_views.release, name="release"),
    path("releases/<int:number>/hold/", place_views.hold_release, name="release_hold"),
    path("holds/<int:number>/lift/", place_views.lift, name="hold_lift"),
    path("policies/<str:key>/", settings_views.policy, name="policy"),
    path("policies/<str:key>/set/", settings_views.set_policy, name="policy_set"),
    path("verdicts/<str:key>/", verdict_views.verdicts, name="verdicts"),
    path("verdicts/<str:key>/fragment/", verdict_views.verdicts_fragment, name="verdicts_fragment"),
    path("verdicts/<str:key>/ask/", verdict_views.ask, name="verdict_ask"),
    path("<int:number>/", views.deployment, name="deployment"),
    path("<int:number>/fragment/", views.deployment_fragment, name="deployment_fragment"),
    path("<int:number>/gate/", views.gate_fragment, name="deployment_gate"),
    path("<int:number>/again/", views.again, name="deployment_again"),
    path("<int:number>/look/", gate_views.look, name="deployment_look"),
    path("<int:number>/approve/", gate_views.approve, name="deployment_approve"),
    path("<int:number>/approvals/<int:approval>/withdraw/", gate_views.withdraw, name="approval_withdraw"),
    path("<int:number>/cancel/", gate_views.cancel, name="deployment_cancel"),
    path("<int:number>/stop/", gate_views.stop, name="deployment_stop"),
    path("<int:number>/interruptions/<int:interruption>/", gate_views.answer, name="interruption_answer"),
    path("<int:number>/rollback/", gate_views.roll_back, name="deployment_roll_back"),
    path("<int:number>/steps/<int:n>/output.txt", views.step_output, name="step_output"),
    path("<int:number>/steps/<int:n>/output/", views.step_output_fragment, name="step_output_fragment"),
    path("<int:number>/attempts/<int:attempt>/output.txt", views.attempt_output, name="attempt_output"),
]
