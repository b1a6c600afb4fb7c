"""Addresses of deployments, services and environments."""

from __future__ import annotations

from django.urls import path

from deployments import views

urlpatterns = [
    path("", views.deployments, name="deployments"),
    path("fragment/", views.deployments_fragment, name="deployments_fragment"),
    path("new/", views.new, name="deployment_new"),
    path("services/new/", views.new_service, name="service_new"),
    path("environments/new/", views.new_environment, name="environment_new"),
    path("<int:number>/", views.deployment, name="deployment"),
    path("<int:number>/fragment/", views.deployment_fragment, name="deployment_fragment"),
    path("<int:number>/again/", views.again, name="deployment_again"),
    path("<int:number>/steps/<int:n>/output.txt", views.step_output, name="step_output"),
    path("<int:number>/steps/<int:n>/output/", views.step_output_fragment, name="step_output_fragment"),
]
