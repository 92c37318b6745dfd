package android.content;

public interface DialogInterface {
    interface OnClickListener {
        void onClick(DialogInterface dialogue, int button);
    }
}
