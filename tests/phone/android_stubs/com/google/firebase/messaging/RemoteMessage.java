package com.google.firebase.messaging;

public class RemoteMessage {
    public Notification getNotification() { return null; }

    public static class Notification {
        public String getTag() { return null; }
        public String getTitle() { return null; }
        public String getBody() { return null; }
    }
}
