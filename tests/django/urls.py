from django.urls import include, path
from rest_framework_simplejwt.views import TokenObtainPairView, TokenRefreshView, TokenVerifyView

import api

endpoints = [
    path("token/", TokenObtainPairView.as_view()),
    path("token/refresh/", TokenRefreshView.as_view()),
    path("token/verify/", TokenVerifyView.as_view()),
    path("reports/", api.Reports.as_view()),
    path("reports/<str:report_id>/", api.Report.as_view()),
    path("runs/", api.Runs.as_view()),
    path("research/", api.Research.as_view()),
]
urlpatterns = [path("prod/", include(endpoints))]  # the production service has this prefix too
